-- The lines about a player, as pairs of a left and a right text, for the tooltip or the chat.

local _, addon = ...

local function descending(map)
  local keys = {}
  for key in pairs(map) do
    keys[#keys + 1] = key
  end
  table.sort(keys, function(one, other) return one > other end)
  return keys
end

-- "7/10", or "7 bosses" if the number of bosses in the raid is unknown.
local function progress(raid, killed)
  local known = addon.raids[raid]
  if known and known.bosses >= killed then
    return killed .. "/" .. known.bosses
  end
  return killed .. (killed == 1 and " boss" or " bosses")
end

local function killed_bosses(ranks)
  local killed = {}
  for encounter in pairs(ranks.encounters or {}) do
    killed[#killed + 1] = encounter
  end
  addon.sort_bosses(killed)
  return killed
end

-- All-star points, and the ranks that they earn, where there are any.
local function stars_in_words(stars)
  local parts = { addon.number(stars.points) .. " points" }
  for _, place in ipairs({ { "world", stars.rank }, { "region", stars.regionRank }, { "realm", stars.serverRank } }) do
    if place[2] then
      parts[#parts + 1] = place[1] .. " " .. place[2]
    end
  end
  return table.concat(parts, ", ")
end

-- The most points of any spec, or nil.
local function most_points(all_stars)
  local most
  for _, stars in ipairs(all_stars or {}) do
    most = math.max(most or 0, stars.points)
  end
  return most
end

local function add_all_stars(lines, all_stars)
  for _, stars in ipairs(all_stars or {}) do
    lines[#lines + 1] = { "  All stars" .. (stars.spec and " " .. stars.spec or ""), stars_in_words(stars) }
  end
end

local function add_ranks(lines, raid, difficulty, ranks, killed)
  local name = addon.raid_name(raid, ranks.encounters or {})
  local left = name .. " " .. (addon.difficulties[difficulty] or "difficulty " .. difficulty)
  local parts = {}
  -- The database's generator chose which of these it has.
  for _, kind in ipairs({ "best", "median" }) do
    if ranks[kind] then
      parts[#parts + 1] = addon.percentile(ranks[kind]) .. " " .. kind
    end
  end
  local points = most_points(ranks.allStars)
  if points then
    parts[#parts + 1] = addon.number(points) .. " points"
  end
  parts[#parts + 1] = progress(raid, #killed)
  lines[#lines + 1] = { left, table.concat(parts, ", ") }
end

local function add_bosses(lines, ranks, killed)
  for _, encounter in ipairs(killed) do
    local rank = ranks.encounters[encounter]
    local right = addon.percentile(rank.best)
    if rank.spec and rank.spec ~= "" then
      right = right .. " " .. rank.spec
    end
    if rank.kills then
      right = right .. ", " .. rank.kills .. (rank.kills == 1 and " kill" or " kills")
    end
    if rank.keyLevel then
      right = right .. ", +" .. rank.keyLevel
    end
    if rank.score then
      right = right .. ", score " .. addon.number(rank.score)
    end
    if rank.allStars then
      right = right .. ", " .. stars_in_words(rank.allStars)
    end
    lines[#lines + 1] = { "  " .. addon.boss_name(encounter), right }
  end
end

-- The hardest difficulty first. In the short form, a raid is one line: the hardest difficulty with a kill.
local function add_raid(lines, raid, difficulties, in_full)
  local order = descending(difficulties)
  for place, difficulty in ipairs(order) do
    local ranks = difficulties[difficulty]
    local killed = killed_bosses(ranks)
    if in_full or #killed > 0 or place == #order then
      add_ranks(lines, raid, difficulty, ranks, killed)
      if not in_full then
        return
      end
      add_all_stars(lines, ranks.allStars)
      add_bosses(lines, ranks, killed)
    end
  end
end

-- The day of the data. The reader returns it as midnight UTC in seconds.
local function day(found)
  return found.updatedAt and addon.coloured(date("!%Y-%m-%d", found.updatedAt), addon.GREY) or ""
end

-- All lines about a player that Stint.lookup found.
function addon.lines(found, in_full)
  local lines = { { addon.coloured("Stint", addon.GOLD), day(found) } }
  local raids = descending(found.raids)
  for _, raid in ipairs(raids) do
    add_raid(lines, raid, found.raids[raid], in_full)
  end
  if #raids == 0 then
    lines[#lines + 1] = { "no ranks", "" }
  elseif not in_full then
    lines[#lines + 1] = { addon.coloured("Hold Shift for every boss", addon.GREY), "" }
  end
  return lines
end
