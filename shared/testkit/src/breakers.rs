//! The conformance suite of the circuit breaker records.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use stint_core::circuit::{Circuit, CircuitSettings, Health, Pass};
use stint_core::clock::after;
use stint_core::ports::{Breakers, PortResult};

use crate::world::BreakerWorld;

/// The conformance tests of the port that stores circuit breakers: `breakers_suite!(run, world)`, where `run` runs a
/// future to its end and `world` is a future of a [`crate::BreakerWorld`].
#[macro_export]
macro_rules! breakers_suite {
    ($run:expr, $world:expr) => {
        $crate::expand_suite! {
            breakers, $run, $world,
            an_upstream_that_never_failed_is_closed
            every_state_is_kept_as_it_is
            a_stale_version_replaces_nothing
            one_of_many_concurrent_writers_succeeds
            upstreams_do_not_share_records
        }
    };
}

const SETTINGS: CircuitSettings = CircuitSettings::for_calls_of(Duration::from_secs(30));

/// Returns a circuit in each of its states.
fn states() -> Vec<Circuit> {
    let now = jiff::Timestamp::UNIX_EPOCH;
    let mut circuit = Circuit::default();
    let mut states = vec![circuit.clone()];
    let failed = Health::Failed("status 502 from \"www.example\" – ‘down’".into());
    for _ in 0..SETTINGS.failures {
        circuit.report(Pass::Free, &failed, &SETTINGS, now, 1);
        states.push(circuit.clone());
    }
    let probe_at = after(now, SETTINGS.longest_delay);
    let probe = |circuit: &mut Circuit, health| {
        let pass = circuit.enter(stint_core::circuit::Intent::Probe, &SETTINGS, probe_at, 1);
        let probing = circuit.clone();
        pass.ok().and_then(|pass| circuit.report(pass, &health, &SETTINGS, probe_at, 1));
        probing
    };
    states.push(probe(&mut circuit, Health::Answered));
    states.push(circuit.clone());
    states.push(probe(&mut circuit, Health::Served));
    states.push(circuit);
    states
}

/// The record of an unknown upstream has version 0, and its breaker lets calls through.
pub async fn an_upstream_that_never_failed_is_closed(world: &dyn BreakerWorld) -> PortResult<()> {
    let (version, circuit) = world.breakers().await?.load("api").await?;
    assert_eq!((version, circuit), (0, Circuit::default()));
    Ok(())
}

/// Each version that one handle writes is read unchanged through another.
pub async fn every_state_is_kept_as_it_is(world: &dyn BreakerWorld) -> PortResult<()> {
    let (one, two) = (world.breakers().await?, world.breakers().await?);
    let states = states();
    assert!(states.len() > 8 && states.last().is_some_and(Circuit::is_closed));
    for (version, circuit) in (0..).zip(states) {
        assert!(one.replace("api", version, &circuit).await?);
        assert_eq!(two.load("api").await?, (version + 1, circuit));
    }
    Ok(())
}

/// A write that names an older version, a newer one or a missing record changes nothing.
pub async fn a_stale_version_replaces_nothing(world: &dyn BreakerWorld) -> PortResult<()> {
    let (one, two) = (world.breakers().await?, world.breakers().await?);
    let [first, second, third] = [1, 2, 3].map(|probes| Circuit { probes, ..Circuit::default() });
    assert!(!one.replace("api", 1, &first).await?, "there is none yet");
    assert!(one.replace("api", 0, &first).await?);
    assert!(!two.replace("api", 0, &third).await?);
    assert!(two.replace("api", 1, &second).await?);
    assert!(!one.replace("api", 1, &third).await?);
    assert!(!one.replace("api", 3, &third).await?);
    assert_eq!(one.load("api").await?, (2, second));
    Ok(())
}

/// The writers replace the record at the same time, beginning with the first version.
pub async fn one_of_many_concurrent_writers_succeeds(world: &dyn BreakerWorld) -> PortResult<()> {
    let mut ways: Vec<Arc<dyn Breakers>> = Vec::new();
    for _ in 0..8 {
        ways.push(world.breakers().await?);
    }
    for version in 0..4 {
        let replaced = join_all((1..).zip(&ways).map(async |(probes, way)| {
            let circuit = Circuit { probes, ..Circuit::default() };
            way.replace("api", version, &circuit).await.map(|replaced| replaced.then_some(probes))
        }));
        let winners: Vec<u64> =
            replaced.await.into_iter().collect::<PortResult<Vec<_>>>()?.into_iter().flatten().collect();
        assert_eq!(winners.len(), 1, "version {version} was replaced by {winners:?}");
        let kept = ways[0].load("api").await?;
        assert_eq!((kept.0, kept.1.probes), (version + 1, winners[0]));
    }
    Ok(())
}

/// Each upstream has a record of its own.
pub async fn upstreams_do_not_share_records(world: &dyn BreakerWorld) -> PortResult<()> {
    let breakers = world.breakers().await?;
    let circuit = Circuit { probes: 9, ..Circuit::default() };
    assert!(breakers.replace("api", 0, &circuit).await?);
    assert_eq!(breakers.load("site").await?, (0, Circuit::default()));
    assert!(breakers.replace("site", 0, &Circuit::default()).await?);
    assert_eq!(breakers.load("api").await?, (1, circuit));
    Ok(())
}
