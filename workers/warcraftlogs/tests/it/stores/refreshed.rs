//! The results of refreshes.

use std::time::Duration;

use stint_warcraftlogs::store::{ANSWERS_KEPT, DropReason, RefreshAnswer, Refreshed};
use stint_warcraftlogs::whom::{Named, Whom};

use super::StoreWorld;

fn named(name: &str, server: &str) -> Whom {
    Whom::Named(Named::new(name, server, "EU").unwrap())
}

fn answer(world: &impl StoreWorld, whom: Whom, result: Refreshed) -> RefreshAnswer {
    RefreshAnswer { whom, at: world.now(), result }
}

pub(crate) async fn an_answer_is_found_by_how_it_was_asked_for(world: &impl StoreWorld) {
    let answers = [
        answer(world, Whom::Id(7), Refreshed::Ranked(8)),
        answer(world, named("Ånn", "kazzak"), Refreshed::Ranked(9)),
        answer(world, named("Ånn", "kazak"), Refreshed::Dropped(DropReason::Unknown)),
        answer(world, Whom::Id(10), Refreshed::Refused("no such raid".into())),
    ];
    world.answers().keep_answers(&[]).await.unwrap();
    world.answers().keep_answers(&answers).await.unwrap();
    world.answers().keep_answers(&answers).await.unwrap();
    for answer in answers {
        assert_eq!(world.answers().answer(&answer.whom).await.unwrap(), Some(answer));
    }
    assert_eq!(world.answers().answer(&Whom::Id(9)).await.unwrap(), None);
    assert_eq!(world.answers().answer(&named("Ann", "kazzak")).await.unwrap(), None);
}

pub(crate) async fn the_latest_answer_counts_and_old_ones_are_forgotten(world: &impl StoreWorld) {
    let first = answer(world, Whom::Id(7), Refreshed::Dropped(DropReason::Hidden));
    let old = answer(world, Whom::Id(8), Refreshed::Ranked(8));
    world.answers().keep_answers(&[first, old.clone()]).await.unwrap();
    world.pass(ANSWERS_KEPT);
    let second = answer(world, Whom::Id(7), Refreshed::Ranked(7));
    world.answers().keep_answers(std::slice::from_ref(&second)).await.unwrap();
    assert_eq!(world.answers().answer(&Whom::Id(7)).await.unwrap(), Some(second));
    assert_eq!(world.answers().answer(&Whom::Id(8)).await.unwrap(), Some(old));
    world.pass(Duration::from_secs(1));
    world.answers().keep_answers(&[answer(world, Whom::Id(9), Refreshed::Ranked(9))]).await.unwrap();
    assert_eq!(world.answers().answer(&Whom::Id(8)).await.unwrap(), None);
}
