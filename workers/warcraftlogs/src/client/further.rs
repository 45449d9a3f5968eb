//! Ranks by further metrics, in addition to those by the first one.

use super::rankings::Rankings;

impl Rankings {
    /// Adds what further metrics bring. A metric that the upstream refuses here, or that is the first one under another
    /// name, is left out. If one did not come, all of them are requested again: otherwise the ranks already stored for
    /// that metric would be lost.
    pub(super) fn with_further(self, further: Vec<Rankings>) -> Rankings {
        let Rankings::Ranks(mut ranks) = self else { return self };
        for rankings in further {
            match rankings {
                Rankings::Ranks(by_metric) if by_metric.metric != ranks.metric => {
                    ranks.metrics.insert(by_metric.metric.clone(), by_metric);
                }
                Rankings::Ranks(_) | Rankings::Refused(_) | Rankings::Hidden => {}
                Rankings::NotRanks(_) | Rankings::Absent => return rankings,
            }
        }
        Rankings::Ranks(ranks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RaidRanks;

    fn by(metric: &str) -> Rankings {
        Rankings::Ranks(RaidRanks { metric: metric.to_owned(), ..RaidRanks::default() })
    }

    #[test]
    fn further_metrics_stand_beside_the_first() {
        let refused = || Rankings::Refused("no such metric here".to_owned());
        let Rankings::Ranks(ranks) = by("dps").with_further(vec![by("hps"), by("dps"), refused()]) else {
            panic!("ranks")
        };
        assert_eq!(
            (ranks.metric.as_str(), ranks.metrics.keys().map(String::as_str).collect::<Vec<_>>()),
            ("dps", vec!["hps"])
        );
        assert_eq!(by("dps").with_further(vec![by("hps"), Rankings::Absent]), Rankings::Absent);
        assert_eq!(refused().with_further(vec![by("hps")]), refused());
    }
}
