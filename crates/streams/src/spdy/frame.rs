//! Frames (SPDY/3.1 section 2.2 and 2.6). Header blocks stay compressed here: they can be read in their order only.

use std::num::NonZeroU32;

/// More than this is not read into memory. Kubernetes' frames have 32 KiB at most; the protocol would allow 16 MiB.
pub const LONGEST_FRAME: usize = 1 << 20;

/// The version in control frames: SPDY/3.1 says 3.
const VERSION: u16 = 3;
const HEAD: usize = 8;
const CONTROL: u32 = 1 << 31;
const FIN: u8 = 1;
const UNIDIRECTIONAL: u8 = 2;
const CLEAR_SETTINGS: u8 = 1;

const SYN_STREAM: u16 = 1;
const SYN_REPLY: u16 = 2;
const RST_STREAM: u16 = 3;
const SETTINGS: u16 = 4;
const PING: u16 = 6;
const GOAWAY: u16 = 7;
const HEADERS: u16 = 8;
const WINDOW_UPDATE: u16 = 9;

/// A stream: 31 bits, not zero; odd if a client opened it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamId(NonZeroU32);

impl StreamId {
    /// The stream of that number, if there can be one.
    pub fn new(number: u32) -> Option<Self> {
        NonZeroU32::new(number).filter(|number| number.get() & CONTROL == 0).map(Self)
    }

    /// Its number.
    pub fn get(self) -> u32 {
        self.0.get()
    }
}

/// A line of a SETTINGS frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Whether it is to be kept, or was kept.
    pub flags: u8,
    /// Which (24 bits).
    pub id: u32,
    /// Its value.
    pub value: u32,
}

/// A frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Opens a stream.
    SynStream {
        /// The stream.
        stream: StreamId,
        /// The stream that it belongs to, or 0.
        associated: u32,
        /// 0 (first) to 7.
        priority: u8,
        /// Whether the sender has nothing to send.
        fin: bool,
        /// Whether the receiver may send nothing.
        unidirectional: bool,
        /// The compressed header block.
        block: Vec<u8>,
    },
    /// Takes a stream.
    SynReply {
        /// The stream.
        stream: StreamId,
        /// Whether the sender has nothing to send.
        fin: bool,
        /// The compressed header block.
        block: Vec<u8>,
    },
    /// Ends a stream at once.
    RstStream {
        /// The stream.
        stream: StreamId,
        /// Why (section 2.6.3).
        status: u32,
    },
    /// What the sender wishes of the connection.
    Settings {
        /// Whether earlier ones are forgotten.
        clear: bool,
        /// The settings.
        settings: Vec<Setting>,
    },
    /// Is sent back as it is.
    Ping(u32),
    /// No further stream is taken.
    GoAway {
        /// The last stream that was.
        last: u32,
        /// Why (section 2.6.6).
        status: u32,
    },
    /// More headers.
    Headers {
        /// The stream.
        stream: StreamId,
        /// Whether the sender has sent everything.
        fin: bool,
        /// The compressed header block.
        block: Vec<u8>,
    },
    /// More may be sent: on a stream, or with 0 on the connection.
    WindowUpdate {
        /// The stream, or 0.
        stream: u32,
        /// So many more bytes.
        delta: u32,
    },
    /// Data.
    Data {
        /// The stream.
        stream: StreamId,
        /// Whether the sender has sent everything.
        fin: bool,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// A control frame of another type: to be passed over (section 2.2.1).
    Unknown {
        /// Its type.
        kind: u16,
    },
}

/// What is no frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Another protocol.
    #[error("a frame of SPDY version {0} instead of {VERSION}: what came is not SPDY/3.1")]
    Version(u16),
    /// Too much.
    #[error("a frame of {0} bytes; more than {LONGEST_FRAME} are not taken")]
    TooLong(usize),
    /// Its length does not fit its type.
    #[error("a frame of type {kind} with {length} bytes")]
    Length {
        /// The type; 0 stands for data.
        kind: u16,
        /// The length after the frame's head.
        length: usize,
    },
    /// A stream whose number is 0.
    #[error("a frame of type {0} for no stream")]
    NoStream(u16),
}

impl Frame {
    /// The first frame of `input` and its length; nothing if more has to come.
    ///
    /// # Errors
    /// What comes is no frame, or too long for one.
    pub fn parse(input: &[u8]) -> Result<Option<(Self, usize)>, FrameError> {
        let Some((head, rest)) = input.split_at_checked(HEAD) else { return Ok(None) };
        let (first, second) = (word(head, 0), word(head, 4));
        let (flags, length) = ((second >> 24) as u8, (second & 0x00ff_ffff) as usize);
        let is_control = first & CONTROL != 0;
        if is_control {
            let version = (first >> 16 & 0x7fff) as u16;
            if version != VERSION {
                return Err(FrameError::Version(version));
            }
        }
        if length > LONGEST_FRAME {
            return Err(FrameError::TooLong(length));
        }
        let Some(body) = rest.get(..length) else { return Ok(None) };
        let frame = if is_control {
            Self::control((first & 0xffff) as u16, flags, body)?
        } else {
            let stream = StreamId::new(first).ok_or(FrameError::NoStream(0))?;
            Self::Data { stream, fin: flags & FIN != 0, bytes: body.to_vec() }
        };
        Ok(Some((frame, HEAD + length)))
    }

    fn control(kind: u16, flags: u8, body: &[u8]) -> Result<Self, FrameError> {
        let length = |is_right: bool| {
            if is_right { Ok(()) } else { Err(FrameError::Length { kind, length: body.len() }) }
        };
        let stream = || StreamId::new(word(body, 0) & !CONTROL).ok_or(FrameError::NoStream(kind));
        let fin = flags & FIN != 0;
        match kind {
            SYN_STREAM => {
                length(body.len() >= 10)?;
                Ok(Self::SynStream {
                    stream: stream()?,
                    associated: word(body, 4) & !CONTROL,
                    priority: body[8] >> 5,
                    fin,
                    unidirectional: flags & UNIDIRECTIONAL != 0,
                    block: body[10..].to_vec(),
                })
            }
            SYN_REPLY | HEADERS => {
                length(body.len() >= 4)?;
                let (stream, block) = (stream()?, body[4..].to_vec());
                Ok(if kind == SYN_REPLY {
                    Self::SynReply { stream, fin, block }
                } else {
                    Self::Headers { stream, fin, block }
                })
            }
            RST_STREAM => {
                length(body.len() == 8)?;
                Ok(Self::RstStream { stream: stream()?, status: word(body, 4) })
            }
            SETTINGS => {
                length(body.len() >= 4)?;
                let (count, lines) = (word(body, 0) as usize, &body[4..]);
                length(lines.len().is_multiple_of(8) && lines.len() / 8 == count)?;
                let setting = |line: &[u8]| {
                    let first = word(line, 0);
                    Setting { flags: (first >> 24) as u8, id: first & 0x00ff_ffff, value: word(line, 4) }
                };
                let clear = flags & CLEAR_SETTINGS != 0;
                Ok(Self::Settings { clear, settings: lines.chunks_exact(8).map(setting).collect() })
            }
            PING => {
                length(body.len() == 4)?;
                Ok(Self::Ping(word(body, 0)))
            }
            GOAWAY => {
                length(body.len() == 8)?;
                Ok(Self::GoAway { last: word(body, 0) & !CONTROL, status: word(body, 4) })
            }
            WINDOW_UPDATE => {
                length(body.len() == 8)?;
                Ok(Self::WindowUpdate { stream: word(body, 0) & !CONTROL, delta: word(body, 4) & !CONTROL })
            }
            kind => Ok(Self::Unknown { kind }),
        }
    }

    /// As it is sent.
    ///
    /// # Errors
    /// There is more in it than [`LONGEST_FRAME`].
    pub fn encode(&self) -> Result<Vec<u8>, FrameError> {
        let fin = |fin: bool| if fin { FIN } else { 0 };
        let words = |words: &[u32]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<_>>();
        let (kind, flags, body) = match self {
            Self::Data { stream, fin: is_last, bytes } => {
                return frame(stream.get(), fin(*is_last), bytes);
            }
            Self::SynStream { stream, associated, priority, fin: is_last, unidirectional, block } => {
                let mut body = words(&[stream.get(), *associated]);
                // The second byte is the slot of a client certificate: none.
                body.extend([priority << 5, 0]);
                body.extend_from_slice(block);
                let unidirectional = if *unidirectional { UNIDIRECTIONAL } else { 0 };
                (SYN_STREAM, fin(*is_last) | unidirectional, body)
            }
            Self::SynReply { stream, fin: is_last, block } => {
                (SYN_REPLY, fin(*is_last), [&words(&[stream.get()])[..], block].concat())
            }
            Self::Headers { stream, fin: is_last, block } => {
                (HEADERS, fin(*is_last), [&words(&[stream.get()])[..], block].concat())
            }
            Self::RstStream { stream, status } => (RST_STREAM, 0, words(&[stream.get(), *status])),
            Self::Settings { clear, settings } => {
                let count = u32::try_from(settings.len()).unwrap_or(u32::MAX);
                let mut body = words(&[count]);
                for setting in settings {
                    body.extend(words(&[
                        u32::from(setting.flags) << 24 | setting.id & 0x00ff_ffff,
                        setting.value,
                    ]));
                }
                (SETTINGS, if *clear { CLEAR_SETTINGS } else { 0 }, body)
            }
            Self::Ping(id) => (PING, 0, words(&[*id])),
            Self::GoAway { last, status } => (GOAWAY, 0, words(&[*last, *status])),
            Self::WindowUpdate { stream, delta } => (WINDOW_UPDATE, 0, words(&[*stream, *delta])),
            Self::Unknown { kind } => (*kind, 0, Vec::new()),
        };
        frame(CONTROL | u32::from(VERSION) << 16 | u32::from(kind), flags, &body)
    }
}

fn frame(first: u32, flags: u8, body: &[u8]) -> Result<Vec<u8>, FrameError> {
    let length = u32::try_from(body.len()).ok().filter(|_| body.len() <= LONGEST_FRAME);
    let length = length.ok_or(FrameError::TooLong(body.len()))?;
    let mut frame = Vec::with_capacity(HEAD + body.len());
    frame.extend(first.to_be_bytes());
    frame.extend((u32::from(flags) << 24 | length).to_be_bytes());
    frame.extend_from_slice(body);
    Ok(frame)
}

/// The four bytes at `at`; 0 if there are fewer.
fn word(bytes: &[u8], at: usize) -> u32 {
    let four = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>());
    four.map_or(0, |four| u32::from_be_bytes(*four))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(number: u32) -> StreamId {
        StreamId::new(number).unwrap()
    }

    #[test]
    fn frames_are_written_as_spdystream_writes_them() {
        // Recorded from github.com/moby/spdystream 0.5.1.
        for (frame, bytes) in [
            (Frame::Ping(2), &[0x80, 3, 0, 6, 0, 0, 0, 4, 0, 0, 0, 2][..]),
            (
                Frame::RstStream { stream: id(5), status: 5 },
                &[0x80, 3, 0, 3, 0, 0, 0, 8, 0, 0, 0, 5, 0, 0, 0, 5],
            ),
            (Frame::GoAway { last: 7, status: 0 }, &[0x80, 3, 0, 7, 0, 0, 0, 8, 0, 0, 0, 7, 0, 0, 0, 0]),
            (Frame::Data { stream: id(3), fin: true, bytes: vec![] }, &[0, 0, 0, 3, 1, 0, 0, 0]),
            (
                Frame::Data { stream: id(3), fin: false, bytes: b"hi".to_vec() },
                &[0, 0, 0, 3, 0, 0, 0, 2, b'h', b'i'],
            ),
        ] {
            assert_eq!(frame.encode().unwrap(), bytes, "{frame:?}");
            assert_eq!(Frame::parse(bytes), Ok(Some((frame, bytes.len()))));
        }
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        for (bytes, expected) in [
            (&b"HTTP/1.1 400 Bad Request"[..], FrameError::TooLong(0x31_2e31)),
            (&[0x80, 2, 0, 6, 0, 0, 0, 4, 0, 0, 0, 1], FrameError::Version(2)),
            (&[0x80, 3, 0, 6, 0, 0, 0, 3, 0, 0, 1], FrameError::Length { kind: 6, length: 3 }),
            (&[0x80, 3, 0, 2, 0, 0, 0, 4, 0, 0, 0, 0], FrameError::NoStream(2)),
            (&[0, 0, 0, 0, 0, 0, 0, 0], FrameError::NoStream(0)),
            (&[0, 0, 0, 1, 0, 0x10, 0, 1], FrameError::TooLong(LONGEST_FRAME + 1)),
            // More settings than there are bytes for.
            (&[0x80, 3, 0, 4, 0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff], FrameError::Length { kind: 4, length: 4 }),
        ] {
            assert_eq!(Frame::parse(bytes), Err(expected), "{bytes:?}");
        }
        let long = Frame::Data { stream: id(1), fin: false, bytes: vec![0; LONGEST_FRAME + 1] };
        assert_eq!(long.encode(), Err(FrameError::TooLong(LONGEST_FRAME + 1)));
    }

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(any::<u8>(), 0..200)
    }

    fn frames() -> impl Strategy<Value = Frame> {
        let stream = || (1..=0x7fff_ffff_u32).prop_map(id);
        let number = || 0..=0x7fff_ffff_u32;
        let setting = (any::<u8>(), 0..=0x00ff_ffff_u32, any::<u32>())
            .prop_map(|(flags, id, value)| Setting { flags, id, value });
        prop_oneof![
            (stream(), number(), 0..8_u8, any::<[bool; 2]>(), bytes()).prop_map(
                |(stream, associated, priority, [fin, unidirectional], block)| Frame::SynStream {
                    stream,
                    associated,
                    priority,
                    fin,
                    unidirectional,
                    block
                }
            ),
            (stream(), any::<bool>(), bytes()).prop_map(|(stream, fin, block)| Frame::SynReply {
                stream,
                fin,
                block
            }),
            (stream(), any::<bool>(), bytes()).prop_map(|(stream, fin, block)| Frame::Headers {
                stream,
                fin,
                block
            }),
            (stream(), any::<u32>()).prop_map(|(stream, status)| Frame::RstStream { stream, status }),
            (any::<bool>(), proptest::collection::vec(setting, 0..5))
                .prop_map(|(clear, settings)| Frame::Settings { clear, settings }),
            any::<u32>().prop_map(Frame::Ping),
            (number(), any::<u32>()).prop_map(|(last, status)| Frame::GoAway { last, status }),
            (number(), number()).prop_map(|(stream, delta)| Frame::WindowUpdate { stream, delta }),
            (stream(), any::<bool>(), bytes()).prop_map(|(stream, fin, bytes)| Frame::Data {
                stream,
                fin,
                bytes
            }),
        ]
    }

    proptest! {
        #[test]
        fn a_frame_is_read_as_it_was_written_however_it_arrives(frame in frames(), behind in bytes()) {
            let written = frame.encode().unwrap();
            for end in 0..written.len() {
                prop_assert_eq!(Frame::parse(&written[..end]), Ok(None));
            }
            let more = [&written[..], &behind].concat();
            prop_assert_eq!(Frame::parse(&more), Ok(Some((frame, written.len()))));
        }

        #[test]
        fn whatever_comes_is_a_frame_or_refused(input in bytes()) {
            if let Ok(Some((frame, length))) = Frame::parse(&input) {
                prop_assert!(length <= input.len());
                let written = frame.encode().unwrap();
                prop_assert_eq!(Frame::parse(&written), Ok(Some((frame, written.len()))));
            }
        }
    }
}
