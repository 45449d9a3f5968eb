//! Publishing generated addons into real git repositories: by their path, and through git's own server.

mod commits;
mod conflicts;
mod failures;
mod history;
mod hostile;
mod http;
mod network;
mod shallow;
mod tags;
mod test_remote;
