//! The lag: how much time certainly passes between sending a request and its being counted.
//!
//! The upstream counts a request at some moment between its sending and its answer. Without further knowledge, a hit
//! must be assumed to leave its window one period after its *answer*, and the request that takes its place to be
//! counted when it is *sent*. That costs one round trip in every period: a tenth of the limit at two requests per
//! second and 100 ms.
//!
//! But both the way to the upstream and the way back take time. Let `L` be the least round trip. The time from one
//! request's sending to its counting, plus the time from another request's counting to its answer, is at least `L`,
//! however `L` is split between the two ways. The next request may therefore be sent `L` earlier, and only the part of
//! a round trip that exceeds `L` is lost.
//!
//! This holds for a network. It does not hold for an upstream that waits, then counts, then waits. The lag is therefore
//! not assumed but proved, with one hit to spare:
//!
//! 1. *Measuring*: the lag is assumed to be zero. [`SAMPLES`] round trips give the least and the median. The lag to
//!    prove is the least one minus three quarters of the difference between the two, because the true minimum may be
//!    below the least one measured.
//! 2. *Proving*: one hit less than permitted is used, and each request is sent as early as the lag allows. The
//!    upstream's own count in each answer tells whether the hit that should have left its window has left it. If it has
//!    not, nothing is refused, because there was a hit to spare. [`PROOFS`] agreeing answers in a row are a proof.
//! 3. *Settled*: all hits are used, with the proved lag, or with none if an answer has disproved it or if the round
//!    trip is so short that there is nothing to gain ([`WORTH_PROVING`]). After [`ANSWERS_SETTLED`] answers it begins
//!    again, because networks change.
//!
//! After a refusal, no lag is used any more.

use std::time::Duration;

/// The number of round trips that are measured first. Few come close to the minimum: if both ways vary evenly, the
/// least of so many exceeds the minimum by more than is subtracted in two cases out of a thousand.
const SAMPLES: usize = 64;

/// The number of answers that must agree. An upstream that contradicts the lag in one of five requests passes once in a
/// thousand times. One that counts at a random moment of the round trip contradicts it in one of four.
const PROOFS: usize = 32;

/// The number of agreeing answers after which the proof ends, with the lag that [`PROOFS`] of them have shown: until
/// then one hit is left unused.
const MOST_AGREEMENTS: usize = 2 * PROOFS;

/// The share of a period below which the lag is not worth proving.
const WORTH_PROVING: f64 = 0.005;

/// Hours, at two requests a second. Learning again costs one request in five hundred.
const ANSWERS_SETTLED: u32 = 20_000;

/// How much later than the lag allows a request may be sent and still count as a proof.
const PUNCTUALITY_SLACK: Duration = Duration::from_millis(2);

#[derive(Clone, Debug)]
pub(super) struct Lag {
    phase: Phase,
}

#[derive(Clone, Debug)]
enum Phase {
    Measuring(Vec<Duration>),
    Proving { lag: Duration, agreements: Vec<Duration> },
    Settled { lag: Duration, answers: u32 },
    Off,
}

impl Lag {
    pub(super) fn unknown() -> Lag {
        Lag { phase: Phase::Measuring(Vec::new()) }
    }

    /// Creates a lag that stays zero, for a lane that always leaves a hit unused.
    pub(super) fn off() -> Lag {
        Lag { phase: Phase::Off }
    }

    /// Returns how much may be subtracted from one period.
    pub(super) fn least(&self) -> Duration {
        match self.phase {
            Phase::Proving { lag, .. } | Phase::Settled { lag, .. } => lag,
            Phase::Measuring(_) | Phase::Off => Duration::ZERO,
        }
    }

    /// Returns whether a hit must be left unused, because an answer may still disprove the lag.
    pub(super) fn is_being_proved(&self) -> bool {
        matches!(self.phase, Phase::Proving { .. })
    }

    /// Records that a request was answered after `round_trip`. `period` is that of the strictest window.
    pub(super) fn measured(&mut self, round_trip: Duration, period: Duration) {
        if let Phase::Proving { lag, .. } | Phase::Settled { lag, .. } = &mut self.phase
            && round_trip < *lag
        {
            // The round trip is shorter than the lag: set the lag as far below the round trip as it was above it. A
            // smaller lag is safe without a proof.
            *lag = round_trip.saturating_sub(*lag - round_trip);
        }
        match &mut self.phase {
            Phase::Measuring(samples) => {
                samples.push(round_trip);
                if samples.len() == SAMPLES {
                    self.phase = to_prove(samples, period);
                }
            }
            Phase::Settled { answers, .. } => {
                *answers += 1;
                if *answers == ANSWERS_SETTLED {
                    self.phase = Phase::Measuring(Vec::new());
                }
            }
            Phase::Proving { .. } | Phase::Off => {}
        }
    }

    /// Records that a request sent `early` ahead of the full period found the earlier hit gone.
    pub(super) fn agreed(&mut self, early: Duration) {
        let Phase::Proving { lag, agreements: shown } = &mut self.phase else { return };
        shown.push(early);
        let lag = *lag;
        if shown.iter().filter(|early| **early + PUNCTUALITY_SLACK >= lag).count() >= PROOFS {
            self.phase = Phase::Settled { lag, answers: 0 };
        } else if shown.len() == MOST_AGREEMENTS {
            // If the clock wakes late, less is proved than hoped for: the lag that enough answers have shown.
            shown.sort_unstable();
            self.phase = Phase::Settled { lag: shown[MOST_AGREEMENTS - PROOFS].min(lag), answers: 0 };
        }
    }

    /// Records that the upstream has counted a hit that should have been gone.
    pub(super) fn disproved(&mut self) {
        if !self.least().is_zero() {
            let lag_ms = self.least().as_millis();
            tracing::info!(
                lag_ms,
                "the upstream counts requests later than their round trip allows: keeping the full period between them"
            );
            self.phase = Phase::Settled { lag: Duration::ZERO, answers: 0 };
        }
    }

    /// Records that the upstream has refused a request.
    pub(super) fn refused(&mut self) {
        self.phase = Phase::Off;
    }
}

/// Returns the phase after the measured round trips `samples`.
fn to_prove(samples: &mut [Duration], period: Duration) -> Phase {
    samples.sort_unstable();
    let (least, usual) = (samples[0], samples[samples.len() / 2]);
    let lag = least.saturating_sub(usual.saturating_sub(least) * 3 / 4);
    if lag > period.mul_f64(WORTH_PROVING) {
        Phase::Proving { lag, agreements: Vec::new() }
    } else {
        Phase::Settled { lag: Duration::ZERO, answers: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// A lag after round trips of 40 to 71 ms.
    fn measured() -> Lag {
        let mut lag = Lag::unknown();
        (0..SAMPLES as u64).for_each(|sample| lag.measured(millis(40 + sample / 2), SECOND));
        lag
    }

    fn proved() -> Lag {
        let mut lag = measured();
        (0..PROOFS).for_each(|_| lag.agreed(lag.least()));
        lag
    }

    #[test]
    fn a_lag_is_less_than_the_least_round_trip_and_needs_a_proof() {
        let lag = measured();
        assert_eq!((lag.least(), lag.is_being_proved()), (millis(28), true));
        assert_eq!((proved().least(), proved().is_being_proved()), (millis(28), false));
    }

    #[test]
    fn only_a_request_as_early_as_the_lag_allows_proves_it() {
        let mut lag = measured();
        (0..PROOFS * 2 - 1).for_each(|_| lag.agreed(millis(25)));
        assert!(lag.is_being_proved());
    }

    #[test]
    fn a_clock_that_wakes_late_proves_what_it_has_shown_and_no_more() {
        let mut lag = measured();
        let shown = [millis(5), millis(25)];
        (0..PROOFS).for_each(|_| shown.iter().for_each(|early| lag.agreed(*early)));
        assert_eq!((lag.least(), lag.is_being_proved()), (millis(25), false));
    }

    #[test]
    fn one_answer_disproves_it() {
        for mut lag in [measured(), proved()] {
            lag.disproved();
            assert_eq!((lag.least(), lag.is_being_proved()), (Duration::ZERO, false));
        }
    }

    #[test]
    fn a_faster_round_trip_lowers_it() {
        let mut lag = proved();
        lag.measured(millis(26), SECOND);
        assert_eq!(lag.least(), millis(24));
        lag.measured(millis(3), SECOND);
        assert_eq!(lag.least(), Duration::ZERO);
    }

    #[test]
    fn what_gains_nothing_is_not_proved() {
        let mut lag = Lag::unknown();
        (0..SAMPLES).for_each(|_| lag.measured(millis(4), SECOND));
        assert!(!lag.is_being_proved());
    }

    #[test]
    fn it_is_measured_again_unless_a_request_was_refused() {
        let mut lag = proved();
        (0..ANSWERS_SETTLED).for_each(|_| lag.measured(millis(100), SECOND));
        assert_eq!(lag.least(), Duration::ZERO);
        (0..SAMPLES).for_each(|_| lag.measured(millis(100), SECOND));
        assert_eq!((lag.least(), lag.is_being_proved()), (millis(100), true));
        lag.refused();
        (0..ANSWERS_SETTLED * 2).for_each(|_| lag.measured(millis(100), SECOND));
        assert_eq!((lag.least(), lag.is_being_proved()), (Duration::ZERO, false));
    }
}
