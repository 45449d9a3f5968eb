//! When to stop for good: answers of 4xx in a row.
//!
//! They are counted for each lane, since a success in one says nothing about another: pages that are refused for ever
//! are refused for ever, however well the endpoint beside them answers. They are counted for all lanes together as well,
//! for whoever asks many endpoints of which each is wrong once. The first of the two that is full ends all requests of
//! the client: whoever counts towards a ban counts the address, or the key, and not the lane.

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

/// Answers of 4xx since the last one that was none.
#[derive(Debug)]
pub(super) struct ClientErrors {
    most: u32,
    of_all: u32,
    of_lanes: BTreeMap<String, u32>,
    halt: Option<Halt>,
}

impl ClientErrors {
    /// `most` in a row are a halt.
    pub(super) fn new(most: u32) -> ClientErrors {
        ClientErrors { most, of_all: 0, of_lanes: BTreeMap::new(), halt: None }
    }

    pub(super) fn halt(&self) -> Option<&Halt> {
        self.halt.as_ref()
    }

    /// An endpoint of the lane `from` has turned out to belong to `to`, and brings along what it was refused.
    pub(super) fn moved(&mut self, from: &str, to: &str) {
        if let Some(brought) = self.of_lanes.get(from).copied() {
            let errors = self.of_lanes.entry(to.to_owned()).or_default();
            *errors = brought.max(*errors);
        }
    }

    /// Takes in an answer of `endpoint`, which is in `lane`. A fault of the server neither adds to a row nor ends it.
    pub(super) fn answered(&mut self, lane: &str, endpoint: &str, status: StatusCode) {
        if status.is_server_error() {
            return;
        }
        if !status.is_client_error() {
            self.of_all = 0;
            self.of_lanes.remove(lane);
            return;
        }
        let of_lane = self.of_lanes.entry(lane.to_owned()).or_default();
        self.of_all = self.of_all.saturating_add(1);
        *of_lane = of_lane.saturating_add(1);
        let client_errors = self.of_all.max(*of_lane);
        if client_errors >= self.most {
            self.halt = Some(Halt { client_errors, status, endpoint: endpoint.to_owned() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What has ended all requests after these answers, of a lane each.
    fn halt(answers: &[(&str, u16)]) -> Option<(u32, String)> {
        let mut errors = ClientErrors::new(3);
        for (lane, status) in answers {
            errors.answered(lane, lane, StatusCode::from_u16(*status).expect("a status"));
        }
        errors.halt().map(|halt| (halt.client_errors, halt.endpoint.clone()))
    }

    #[test]
    fn a_success_ends_the_row_of_its_own_lane_alone() {
        let pages = Some((3, "pages".to_owned()));
        assert_eq!(halt(&[("pages", 403), ("head", 200), ("pages", 429), ("head", 200), ("pages", 403)]), pages);
        assert_eq!(halt(&[("pages", 403), ("pages", 429), ("pages", 200), ("pages", 403), ("pages", 403)]), None);
        assert_eq!(halt(&[("pages", 403), ("pages", 502), ("pages", 403), ("pages", 503), ("pages", 403)]), pages);
    }

    #[test]
    fn many_lanes_that_are_wrong_once_each_are_a_row() {
        assert_eq!(halt(&[("1", 404), ("2", 404), ("3", 404)]), Some((3, "3".to_owned())));
        assert_eq!(halt(&[("1", 404), ("2", 404), ("ok", 200), ("3", 404), ("4", 404)]), None);
    }

    #[test]
    fn a_lane_that_gets_a_name_keeps_its_row() {
        let refused = |errors: &mut ClientErrors, lane: &str| errors.answered(lane, "pages", StatusCode::FORBIDDEN);
        let mut errors = ClientErrors::new(3);
        refused(&mut errors, "pages");
        errors.answered("head", "head", StatusCode::OK);
        errors.moved("pages", "policy");
        refused(&mut errors, "policy");
        errors.answered("head", "head", StatusCode::OK);
        errors.moved("policy", "another");
        assert_eq!(errors.halt(), None);
        refused(&mut errors, "another");
        assert!(errors.halt().is_some());
    }
}
