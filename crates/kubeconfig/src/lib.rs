//! Kubeconfig files: read as kubectl reads them, changed without harm.
//!
//! - [`Locations`]: which files there are (`--kubeconfig`, `KUBECONFIG`, `~/.kube/config`).
//! - [`Kubeconfig`]: what they say together, which file each entry comes from, and which user is asked for.
//! - [`Document`]: the text of one file. [`Document::set`] and [`Document::remove`] change one [`Place`] and leave
//!   comments, order, quotes and line ends as they are. A change that would say anything else is refused.
//! - [`Reading`]: any other file, as Kubernetes' own YAML parser takes it, with the lines on which things stand.
//! - [`LockedFile`]: a file under kubectl's own lock, replaced whole, with its mode and its symbolic link kept.
//! - [`Editing`]: all files of a kubeconfig, changed together, each entry in the file that it comes from.
//! - [`Incoming`]: what of another kubeconfig is new here; [`hand_out`]: what of this one others may have.
//! - [`difference`]: what a change does, for people, without secrets.
//!
//! The invariant: after a change the file says what it said before but for the one thing that was asked for, or it is
//! the same to the byte. This is proved each time by reading the outcome (see [`Document`]), not only in tests.
//!
//! Secrets of a kubeconfig appear neither in `Debug` nor in an error.
//!
//! ```
//! use std::path::Path;
//! use kubesso_k8s_types::kubeconfig::ExecConfig;
//! use kubesso_kubeconfig::{Kubeconfig, LockedFile, Locations, Patience, Place, Selection};
//!
//! # let home = tempfile::tempdir()?;
//! # std::fs::create_dir(home.path().join(".kube"))?;
//! # let text = "current-context: c\ncontexts:\n- name: c\n  context: {user: oidc}  # mine\n";
//! # std::fs::write(home.path().join(".kube/config"), text)?;
//! // What `kubectl` would use, given the environment's values.
//! let locations = Locations::new(None, None, Some(home.path()));
//! let kubeconfig = Kubeconfig::load(&locations)?;
//! let user = kubeconfig.select_user_name(Selection::default())?;
//! let file = match kubeconfig.user(user) {
//!     Some(entry) => entry.file.as_path(),
//!     None => locations.default_file().unwrap_or(Path::new("config")),
//! };
//!
//! // Give that user a credential plugin.
//! let exec = ExecConfig::new("/usr/bin/kubesso", vec!["oidc-login".into(), "get-token".into()]);
//! let mut file = LockedFile::open(file, Patience::default())?;
//! file.document_mut().set(&Place::user(user).key("exec"), &exec)?;
//! let saved = file.save()?;
//! assert!(saved.changed && saved.file.ends_with(".kube/config"));
//!
//! let user = Kubeconfig::load(&locations)?;
//! let user = user.select_user(Selection { context: Some("c"), user: None })?;
//! assert_eq!(user.exec_command().as_deref(), Some(Path::new("/usr/bin/kubesso")));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod decode;
mod difference;
mod document;
mod editing;
mod hand_out;
mod kubeconfig;
mod locations;
mod locked_file;
mod mask;
mod merge;
mod permissions;
mod place;
mod plugin_flags;
mod reading;
mod yaml;

pub use decode::Undecodable;
pub use difference::difference;
pub use document::{Document, EditError, Excerpt};
pub use editing::{Editing, EditingError, Purpose};
pub use hand_out::{NotForOthers, hand_out};
pub use kubeconfig::{Entry, Kubeconfig, LoadError, SelectError, Selection};
pub use locations::{Locations, Source};
pub use locked_file::{FileError, LockedFile, Patience, Saved};
pub use mask::is_secret_flag;
pub use merge::{Clash, EntryKind, Incoming, Renames, make_paths_absolute};
pub use permissions::is_readable_by_others;
pub use place::Place;
pub use plugin_flags::{INSTALL_HINT, PluginFlags, plugin_entry};
pub use reading::{Reading, Twice};
pub use yaml::Unreadable;
