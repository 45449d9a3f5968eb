//! Expands a suite to one test per name.

/// For each name, defines a `#[test]` of that name that builds a world and runs the suite's function on it. Called by
/// the macros of the suites, which the adapters call.
#[doc(hidden)]
#[macro_export]
macro_rules! expand_suite {
    ($suite:ident, $run:expr, $world:expr, $($test:ident)*) => {
        $(
            #[test]
            fn $test() {
                $run(async {
                    let world = $world.await;
                    if let Err(error) = $crate::$suite::$test(&world).await {
                        panic!("a port failed: {error:?}");
                    }
                });
            }
        )*
    };
}

/// Lets time pass, or ends the test if the adapter's time can be neither moved nor waited for.
macro_rules! pass {
    ($world:expr, $duration:expr) => {
        if !$world.time().pass($duration).await {
            return Ok(());
        }
    };
}

pub(crate) use pass;

/// A function that no macro names would never run.
#[cfg(test)]
mod tests {
    /// Returns the names that the macro of a suite lists.
    fn listed<'a>(suite: &str, sources: &[&'a str]) -> Vec<&'a str> {
        let list = sources.iter().find_map(|source| source.split_once("$crate::expand_suite! {")).expect(suite).1;
        let (list, _) = list.split_once('}').expect("an end of the list");
        list.split_whitespace().collect()
    }

    fn check(suite: &str, sources: &[&str]) {
        let listed = listed(suite, sources);
        let mut found = 0;
        for source in sources {
            for line in source.lines().filter_map(|line| line.strip_prefix("pub async fn ")) {
                let name = line.split('(').next().unwrap_or_default();
                assert!(listed.contains(&name), "{suite}_suite! does not name {name}");
                found += 1;
            }
        }
        assert!(found > 3, "the functions of {suite} were not found");
    }

    #[test]
    fn every_function_of_a_suite_is_in_its_list() {
        check(
            "queue",
            &[
                include_str!("queue/mod.rs"),
                include_str!("queue/sending.rs"),
                include_str!("queue/receiving.rs"),
                include_str!("queue/dead_letters.rs"),
            ],
        );
        check("wakeups", &[include_str!("wakeups.rs")]);
        check("throttle", &[include_str!("throttle.rs")]);
        check("alarms", &[include_str!("alarms.rs")]);
        check("blobs", &[include_str!("blobs.rs")]);
        check("breakers", &[include_str!("breakers.rs")]);
        check("leases", &[include_str!("leases.rs")]);
        check("rate_limits", &[include_str!("rate_limits.rs")]);
        check(
            "http",
            &[
                include_str!("http/mod.rs"),
                include_str!("http/serving.rs"),
                include_str!("http/policies.rs"),
                include_str!("http/failing.rs"),
            ],
        );
        check(
            "key_pool",
            &[
                include_str!("key_pool/mod.rs"),
                include_str!("key_pool/holds.rs"),
                include_str!("key_pool/reading.rs"),
                include_str!("key_pool/clock_changes.rs"),
                include_str!("key_pool/windows.rs"),
                include_str!("key_pool/parking.rs"),
            ],
        );
    }

    #[test]
    fn every_scenario_is_in_the_list_of_the_key_pool() {
        let listed = listed("key_pool", &[include_str!("key_pool/mod.rs")]);
        for scenario in crate::key_pool::SCENARIOS {
            assert!(listed.contains(&scenario.name), "key_pool_suite! does not name {}", scenario.name);
        }
        assert!(crate::key_pool::SCENARIOS.len() >= 15);
    }
}
