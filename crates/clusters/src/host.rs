//! A machine's files, as they are handed to what only computes.

/// Reads files of the machine that an API server runs on. Paths are the machine's own.
pub trait Host {
    /// The text of a file; nothing if it is not there.
    ///
    /// # Errors
    /// It is there and cannot be read; why.
    fn read(&self, path: &str) -> Result<Option<String>, String>;

    /// The names of the files in a folder; none if it is not there.
    ///
    /// # Errors
    /// It is there and cannot be read; why.
    fn list(&self, folder: &str) -> Result<Vec<String>, String>;
}
