//! The contents of a player's tooltip.

use super::{dungeons, installed, play};

#[test]
fn a_raid_is_a_line_by_its_hardest_difficulty_with_a_kill() {
    let folder = installed();
    insta::assert_snapshot!(play(folder.path(), "game.start() game.hover('Ann', nil)"), @r"
    |cffe5cc80Stint|r | |cff9d9d9d2026-11-20|r
    Sanctum of Domination Heroic | |cffa335ee75|r best, |cff0070ff50|r median, 1/10
    Castle Nathria Heroic | |cffe268a899|r best, |cff1eff0049|r median, 2/10
    |cff9d9d9dHold Shift for every boss|r
    ");
}

#[test]
fn shift_shows_every_boss_and_letting_it_go_hides_them() {
    let folder = installed();
    let scenario = "game.start() game.hover('Ann', nil) game.shift = true game.fire('MODIFIER_STATE_CHANGED')
        game.show_tooltip() game.shift = false game.fire('MODIFIER_STATE_CHANGED') game.show_tooltip()";
    insta::assert_snapshot!(play(folder.path(), scenario), @r"
    |cffe5cc80Stint|r | |cff9d9d9d2026-11-20|r
    Sanctum of Domination Heroic | |cffa335ee75|r best, |cff0070ff50|r median, 1/10
    Castle Nathria Heroic | |cffe268a899|r best, |cff1eff0049|r median, 2/10
    |cff9d9d9dHold Shift for every boss|r
    |cffe5cc80Stint|r | |cff9d9d9d2026-11-20|r
    Sanctum of Domination Mythic | |cff1eff0025|r best, |cff6666660|r median, 0/10
    Sanctum of Domination Heroic | |cffa335ee75|r best, |cff0070ff50|r median, 1/10
      Boss 2423 | |cffff800095|r, 2 kills
    Castle Nathria Heroic | |cffe268a899|r best, |cff1eff0049|r median, 2/10
      Boss 2398 | |cffe5cc80100|r Fire, 12 kills
      Boss 2418 | |cff66666624|r Arcane, 1 kill
    Castle Nathria Normal | |cff66666610|r best, |cff6666665|r median, 1/10
      Boss 2398 | |cff66666610|r Fire, 30 kills
    |cffe5cc80Stint|r | |cff9d9d9d2026-11-20|r
    Sanctum of Domination Heroic | |cffa335ee75|r best, |cff0070ff50|r median, 1/10
    Castle Nathria Heroic | |cffe268a899|r best, |cff1eff0049|r median, 2/10
    |cff9d9d9dHold Shift for every boss|r
    ");
}

#[test]
fn clients_before_the_tooltip_data_processor_show_the_same() {
    let folder = installed();
    let hover = "game.start() game.hover('Ann', nil) game.hover('Bea', 'Area52')";
    let classic = format!("game.modern = false game.interface = '11508' {hover}");
    assert_eq!(play(folder.path(), &classic), play(folder.path(), hover));
}

#[test]
fn a_realm_is_the_players_own_unless_it_is_named() {
    let folder = installed();
    let scenario = "game.start() game.hover('Bea', 'Area52') game.hover('Bea', '') game.hover('Ann', 'Area52')
        game.realm = 'Area52' game.hover('Bea', nil)";
    insta::assert_snapshot!(play(folder.path(), scenario), @r"
    |cffe5cc80Stint|r | |cff9d9d9d2026-11-20|r
    Castle Nathria Heroic | |cff0070ff50|r best, 0/10
    |cff9d9d9dHold Shift for every boss|r
    (an empty tooltip)
    (an empty tooltip)
    |cffe5cc80Stint|r | |cff9d9d9d2026-11-20|r
    Castle Nathria Heroic | |cff0070ff50|r best, 0/10
    |cff9d9d9dHold Shift for every boss|r
    ");
}

#[test]
fn raids_and_bosses_are_called_what_the_journal_calls_them() {
    let folder = installed();
    let journal = "
        local raids = { { 1190, 'Schloss Nathria', { { 'Kreischschwinge', 2398 }, { 'Altimor', 2418 } } } }
        local page = 7
        function EJ_GetNumTiers() return 2 end
        function EJ_GetCurrentTier() return page end
        function EJ_SelectTier(tier) page = tier end
        function EJ_GetInstanceByIndex(index, is_raid)
          local raid = is_raid and page == 2 and raids[index]
          if raid then return raid[1], raid[2] end
        end
        function EJ_GetEncounterInfoByIndex(index, instance)
          local boss = instance == 1190 and raids[1][3][index]
          if boss then return boss[1], '', 0, 0, '', instance, boss[2] end
        end
        game.start() game.shift = true game.hover('Ann', nil) print('page ' .. page)";
    insta::assert_snapshot!(play(folder.path(), journal), @r"
    |cffe5cc80Stint|r | |cff9d9d9d2026-11-20|r
    Sanctum of Domination Mythic | |cff1eff0025|r best, |cff6666660|r median, 0/10
    Sanctum of Domination Heroic | |cffa335ee75|r best, |cff0070ff50|r median, 1/10
      Boss 2423 | |cffff800095|r, 2 kills
    Schloss Nathria Heroic | |cffe268a899|r best, |cff1eff0049|r median, 2/10
      Kreischschwinge | |cffe5cc80100|r Fire, 12 kills
      Altimor | |cff66666624|r Arcane, 1 kill
    Schloss Nathria Normal | |cff66666610|r best, |cff6666665|r median, 1/10
      Kreischschwinge | |cff66666610|r Fire, 30 kills
    page 7
    ");
}

#[test]
fn a_raid_without_a_name_shows_its_numbers() {
    let folder = installed();
    let scenario = "game.start() game.shift = true game.hover('Cid', nil)";
    insta::assert_snapshot!(play(folder.path(), scenario), @r"
    |cffe5cc80Stint|r | |cff9d9d9d2026-11-20|r
    Raid 99 difficulty 7 | |cffa335ee94|r best, |cff0070ff74|r median, 1 boss
      Boss 9001 | |cff6666661|r Fire, 1 kill
    ");
}

#[test]
fn what_a_database_does_not_carry_is_left_out() {
    let folder = installed();
    let scenario = "game.start() game.shift = true
        Stint.lookup = function()
          return { classId = 4, raids = { [26] = { [4] = { median = 49.9, encounters = { [2398] = { best = 50 }, [2418] = {} } } } } }
        end
        game.hover('Ann', nil)";
    insta::assert_snapshot!(play(folder.path(), scenario), @r"
    |cffe5cc80Stint|r
    Castle Nathria Heroic | |cff1eff0049.9|r median, 2/10
      Boss 2398 | |cff0070ff50|r
      Boss 2418 | |cff9d9d9d-|r
    ");
}

#[test]
fn all_stars_scores_and_keystones_are_shown_where_a_database_says_them() {
    let folder = dungeons();
    let scenario = "game.start() game.hover('Ann', nil) game.shift = true game.hover('Ann', nil)";
    insta::assert_snapshot!(play(folder.path(), scenario), @r"
    |cffe5cc80Stint|r | |cff9d9d9d2026-11-20|r
    Mythic+ Seasons 1 - 3 Dungeon | |cffe268a899|r best, |cff1eff0049|r median, 110.4 points, 2/10
    |cff9d9d9dHold Shift for every boss|r
    |cffe5cc80Stint|r | |cff9d9d9d2026-11-20|r
    Mythic+ Seasons 1 - 3 Dungeon | |cffe268a899|r best, |cff1eff0049|r median, 110.4 points, 2/10
      All stars Fire | 110.4 points, world 1518, region 506, realm 53
      All stars Frost | 17 points, world 9000, region 3000
      Boss 12291 | |cffff800095|r Fire, 12 kills, +15, score 169.3, 103.4 points
      Boss 12293 | |cff66666624|r Frost, 1 kill
    ");
}

#[test]
fn an_unknown_unit_leaves_the_tooltip_unchanged() {
    let folder = installed();
    let scenario = "game.start() game.hover('Missing', nil) game.hover('Ann', 'Nowhere')
        game.units.mouseover = { name = 'Ann', is_player = false } game.tooltip:SetUnit('mouseover') game.show_tooltip()
        game.tooltip.forbidden = true game.hover('Ann', nil)";
    assert_eq!(play(folder.path(), scenario), "(an empty tooltip)\n".repeat(4));
}

#[test]
fn secret_values_are_left_alone() {
    let folder = installed();
    let scenario = "game.start() game.hover(game.secret, nil) game.hover('Ann', game.secret)
        game.units.mouseover = { name = 'Ann', is_player = game.secret } game.tooltip:SetUnit('mouseover')
        game.fire('MODIFIER_STATE_CHANGED') game.show_tooltip()
        function game.tooltip:GetUnit() return game.secret, game.secret end game.hover('Ann', nil)";
    assert_eq!(play(folder.path(), scenario), "(an empty tooltip)\n".repeat(4));
}

#[test]
fn a_failure_is_said_once_and_raises_nothing() {
    let folder = installed();
    let scenario = "game.start() UnitName = function() error('out of order', 0) end
        game.hover('Ann', nil) game.hover('Ann', nil)";
    insta::assert_snapshot!(play(folder.path(), scenario), @r"
    |cffe5cc80Stint|r: the tooltip failed: out of order
    (an empty tooltip)
    (an empty tooltip)
    ");
}
