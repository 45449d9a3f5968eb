-- Names of bosses and raids in the client's language: its encounter journal knows a boss by the same id as the
-- upstream. On a client without a journal, or with an empty one, the names that came with the addon are used.

local _, addon = ...

local journal

local function has_journal()
  return EJ_GetNumTiers and EJ_GetCurrentTier and EJ_SelectTier and EJ_GetInstanceByIndex and EJ_GetEncounterInfoByIndex
end

local function read_raid(bosses, instance, raid)
  local index = 1
  repeat
    local name, _, _, _, _, _, encounter = EJ_GetEncounterInfoByIndex(index, instance)
    if name and encounter then
      bosses[encounter] = { name = name, raid = raid, place = index }
    end
    index = index + 1
  until not name
end

local function read_tier(bosses)
  local index = 1
  repeat
    local instance, raid = EJ_GetInstanceByIndex(index, true)
    if instance then
      read_raid(bosses, instance, raid)
    end
    index = index + 1
  until not instance
end

-- Selecting a tier changes the page in the journal's window. So the page is restored, and nothing is done while the
-- window is open.
local function read()
  if EncounterJournal and EncounterJournal:IsShown() then
    return nil
  end
  local bosses, page = {}, EJ_GetCurrentTier()
  for tier = 1, EJ_GetNumTiers() do
    EJ_SelectTier(tier)
    read_tier(bosses)
  end
  EJ_SelectTier(page)
  return bosses
end

-- The journal's entry for a boss: its name, its raid's name, and its position there.
local function entry(encounter)
  if not journal and has_journal() then
    local fine, bosses = pcall(read)
    journal = fine and bosses or journal
  end
  return journal and journal[encounter] or nil
end

function addon.boss_name(encounter)
  local known = entry(encounter)
  return known and known.name or "Boss " .. encounter
end

-- The raid's name, from any of its bosses; otherwise the one that came with the addon.
function addon.raid_name(raid, encounters)
  local known = addon.raids[raid]
  local boss = entry(next(encounters) or 0)
  return boss and boss.raid or known and known.name or "Raid " .. raid
end

-- Ids of bosses in the order of the journal; those not in the journal come last, by id.
function addon.sort_bosses(encounters)
  local function place(encounter)
    local known = entry(encounter)
    return known and known.place or 1000
  end
  table.sort(encounters, function(one, other)
    local first, second = place(one), place(other)
    if first == second then
      return one < other
    end
    return first < second
  end)
end
