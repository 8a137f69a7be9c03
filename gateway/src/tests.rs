//! The gateway as a whole: a real server on a mesh of one node, with a replica played by the test.

mod fixture;
mod http;
mod websocket;
