//! Replies of the whole server, in process. What kube-apiserver 1.36.3 answered to the same requests was
//! recorded; the tables hold its status codes, reasons and messages.

mod authorization;
mod harness;
mod objects;
mod requests;
mod watches;
