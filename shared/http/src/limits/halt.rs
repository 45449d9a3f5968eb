//! When to stop for good: 4xx answers in a row.
//!
//! Each lane has its own row, because a success in one lane says nothing about another: pages that are always refused
//! stay refused, however well another endpoint works. When a lane's row is full, only that lane ends, because requests
//! that are no longer sent add nothing to a ban. All lanes also share one row, for the case that everything is refused,
//! and for a caller that requests many endpoints of which each is wrong once. When that row is full, everything ends.

use std::collections::BTreeMap;

use http::StatusCode;

/// The reason why no more requests are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StopReason {
    pub(super) client_errors: u32,
    /// The status of the last answer.
    pub(super) status: StatusCode,
    /// The host and path of the last answer.
    pub(super) endpoint: String,
}

#[derive(Debug)]
pub(super) struct ClientErrors {
    /// The number of errors in a row that causes a halt.
    limit: u32,
    all: ErrorStreak,
    /// The rows of the lanes that have had an error.
    lanes: BTreeMap<String, ErrorStreak>,
}

#[derive(Debug, Default)]
struct ErrorStreak {
    /// 4xx answers since the last answer of another kind.
    errors: u32,
    halt: Option<StopReason>,
}

impl ClientErrors {
    pub(super) fn new(most: u32) -> ClientErrors {
        ClientErrors { limit: most, all: ErrorStreak::default(), lanes: BTreeMap::new() }
    }

    /// Returns why no more requests are sent in `lane`.
    pub(super) fn halt(&self, lane: &str) -> Option<&StopReason> {
        self.all.halt.as_ref().or_else(|| self.lanes.get(lane)?.halt.as_ref())
    }

    /// Moves the row of an endpoint of lane `from` that has turned out to belong to lane `to`.
    pub(super) fn moved(&mut self, from: &str, to: &str) {
        if let Some(brought) = self.lanes.get(from).map(|row| row.errors) {
            let row = self.lanes.entry(to.to_owned()).or_default();
            row.errors = row.errors.max(brought);
        }
    }

    /// Applies an answer of `endpoint`, which is in `lane`. A server error neither lengthens nor ends a row.
    pub(super) fn answered(&mut self, lane: &str, endpoint: &str, status: StatusCode) {
        if status.is_client_error() {
            let row = self.lanes.entry(lane.to_owned()).or_default();
            [row, &mut self.all].into_iter().for_each(|row| row.add(self.limit, status, endpoint));
        } else if !status.is_server_error() {
            let row = self.lanes.get_mut(lane);
            row.into_iter().chain([&mut self.all]).for_each(|row| row.errors = 0);
        }
    }
}

impl ErrorStreak {
    fn add(&mut self, most: u32, status: StatusCode, endpoint: &str) {
        self.errors = self.errors.saturating_add(1);
        if self.errors >= most {
            self.halt = Some(StopReason { client_errors: self.errors, status, endpoint: endpoint.to_owned() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns which of three lanes have ended after these answers, each given as lane and status.
    fn ended(answers: &[(&'static str, u16)]) -> Vec<&'static str> {
        let mut errors = ClientErrors::new(3);
        for (lane, status) in answers {
            errors.answered(lane, lane, StatusCode::from_u16(*status).expect("a status"));
        }
        ["pages", "head", "new"].into_iter().filter(|lane| errors.halt(lane).is_some()).collect()
    }

    #[test]
    fn a_success_ends_the_row_of_its_own_lane_alone() {
        let beside = [("pages", 403), ("head", 200), ("pages", 429), ("head", 200), ("pages", 403)];
        assert_eq!(ended(&beside), ["pages"]);
        assert_eq!(ended(&[&beside[..], &[("pages", 200)]].concat()), ["pages"], "what has ended stays so");
        assert_eq!(ended(&[("pages", 403), ("pages", 429), ("pages", 200), ("pages", 403), ("pages", 403)]), [""; 0]);
    }

    #[test]
    fn a_server_error_neither_lengthens_nor_ends_a_row() {
        let faults = [("pages", 403), ("pages", 502), ("head", 200), ("pages", 403), ("pages", 503), ("pages", 403)];
        assert_eq!(ended(&faults), ["pages"]);
    }

    #[test]
    fn what_is_refused_everywhere_ends_everywhere() {
        let everything = ["pages", "head", "new"];
        assert_eq!(ended(&[("pages", 403), ("head", 403), ("pages", 403)]), everything);
        assert_eq!(ended(&[("1", 404), ("2", 404), ("3", 404)]), everything);
        assert_eq!(ended(&[("1", 404), ("2", 404), ("head", 200), ("3", 404), ("4", 404)]), [""; 0]);
    }

    #[test]
    fn a_lane_that_gets_a_name_keeps_its_row() {
        let mut errors = ClientErrors::new(3);
        for (from, to) in [("", "pages"), ("pages", "policy"), ("policy", "another")] {
            assert_eq!(errors.halt(from), None);
            errors.moved(from, to);
            errors.answered(to, "upstream.example/pages", StatusCode::FORBIDDEN);
            errors.answered("head", "upstream.example/head", StatusCode::OK);
        }
        let endpoint = "upstream.example/pages".to_owned();
        assert_eq!(
            errors.halt("another"),
            Some(&StopReason { client_errors: 3, status: StatusCode::FORBIDDEN, endpoint })
        );
    }
}
