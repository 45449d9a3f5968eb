//! When to stop for good: answers of 4xx in a row.
//!
//! Each lane has a row, since a success in one says nothing about another: pages that are refused for ever are refused
//! for ever, however well the endpoint beside them answers. When it is full, the lane ends, and nothing else: what is
//! not sent any more adds nothing to a ban. All lanes have one row together as well: when everything is refused, and for
//! whoever asks many endpoints of which each is wrong once. When that one is full, everything ends.

use std::collections::BTreeMap;

use http::StatusCode;

/// Nothing is sent any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Halt {
    pub(super) client_errors: u32,
    /// Of the last one.
    pub(super) status: StatusCode,
    /// Who answered so: host and path.
    pub(super) endpoint: String,
}

#[derive(Debug)]
pub(super) struct ClientErrors {
    /// This many in a row are a halt.
    most: u32,
    all: Row,
    /// Of those that have had one.
    lanes: BTreeMap<String, Row>,
}

#[derive(Debug, Default)]
struct Row {
    /// Answers of 4xx since the last one that was none.
    errors: u32,
    halt: Option<Halt>,
}

impl ClientErrors {
    pub(super) fn new(most: u32) -> ClientErrors {
        ClientErrors { most, all: Row::default(), lanes: BTreeMap::new() }
    }

    /// Why nothing more is sent in `lane`.
    pub(super) fn halt(&self, lane: &str) -> Option<&Halt> {
        self.all.halt.as_ref().or_else(|| self.lanes.get(lane)?.halt.as_ref())
    }

    /// An endpoint of the lane `from` has turned out to belong to `to`, and brings along what it was refused.
    pub(super) fn moved(&mut self, from: &str, to: &str) {
        if let Some(brought) = self.lanes.get(from).map(|row| row.errors) {
            let row = self.lanes.entry(to.to_owned()).or_default();
            row.errors = row.errors.max(brought);
        }
    }

    /// Takes in an answer of `endpoint`, which is in `lane`. A fault of the server neither adds to a row nor ends it.
    pub(super) fn answered(&mut self, lane: &str, endpoint: &str, status: StatusCode) {
        if status.is_client_error() {
            let row = self.lanes.entry(lane.to_owned()).or_default();
            [row, &mut self.all].into_iter().for_each(|row| row.add(self.most, status, endpoint));
        } else if !status.is_server_error() {
            let row = self.lanes.get_mut(lane);
            row.into_iter().chain([&mut self.all]).for_each(|row| row.errors = 0);
        }
    }
}

impl Row {
    fn add(&mut self, most: u32, status: StatusCode, endpoint: &str) {
        self.errors = self.errors.saturating_add(1);
        if self.errors >= most {
            self.halt = Some(Halt { client_errors: self.errors, status, endpoint: endpoint.to_owned() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of some lanes have ended after these answers, of a lane each.
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
    fn a_fault_of_the_server_is_none_and_no_success() {
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
        assert_eq!(errors.halt("another"), Some(&Halt { client_errors: 3, status: StatusCode::FORBIDDEN, endpoint }));
    }
}
