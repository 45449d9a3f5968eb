-- Reads what only databases of format 3 contain: all-star points, scores and keystones, at the places of
-- docs/lua-format.md. In an addon this is one file with models.lua, records.lua and lookup.lua, Stint.lua.

local STARS, STARRED, PARTITION, STAR_SPEC, KEY_LEVEL, SCORE = 128, 129, 130, 160, 192, 224
local REGION, SERVER = 320, 384
-- Of a raid and difficulty, and of an encounter.
local POINTS, WORLD = { 256, 272 }, { 288, 304 }
local NO_LEVEL, MOST_STARS, MOST_BITS = 13, 255, 40

local function damaged()
  error("a record of a Stint database is damaged: install it again", 0)
end

-- The level of a percentile.
local function level_of(percent)
  return percent and floor(percent / 8) or NO_LEVEL
end

-- A number that is stored plus 1, with nil as 0.
local function less_one(number)
  if number > 0 then
    return number - 1
  end
end

-- Returns the function that adds the extras of a record to its table. `take` and `refill` are the reader's, `base` has
-- its places.
local function extras_reader(database, base, take, refill, begin)
  local sections, encounters, specs, steps = database.sections, database.encounters, database.specs, database.precision
  local has_stars, has_boss_stars, has_score = database.allStars, database.bossAllStars, database.score
  local text, position, last, state, class

  local function value(place)
    local number
    number, position, state = take(text, position, last, state, base[place], 256)
    return number
  end

  -- A number, and its class: below 8 the number itself, then four for each length in bits.
  local function number_at(place)
    local of_class = value(place)
    if of_class < 8 then
      return of_class, of_class
    end
    local bits = floor(of_class / 4) - 1
    if bits > MOST_BITS then
      damaged()
    end
    local number, unit, left = (4 + of_class % 4) * 2 ^ bits, 1, bits
    while left > 0 do
      local slots = 2 ^ (left < 16 and left or 16)
      local piece = state % slots
      position, state = refill(text, position, last, (state - piece) / slots)
      number, unit, left = number + piece * unit, unit * slots, left - 16
    end
    return number, of_class
  end

  local function star(kind, level)
    local spec = specs[value(STAR_SPEC + class)]
    local partition = less_one(value(PARTITION))
    local points = number_at(POINTS[kind] + level)
    local world, of_world = number_at(WORLD[kind] + level)
    local region, of_region = number_at(REGION + floor(of_world / 4))
    local server = number_at(SERVER + floor(of_region / 4))
    return {
      spec = spec, partition = partition, points = points / steps,
      rank = less_one(world), regionRank = less_one(region), serverRank = less_one(server),
    }
  end

  local function read_section(ranks, of_raid)
    if has_stars then
      local stars, number = {}, value(STARS)
      if number > MOST_STARS then
        damaged()
      end
      for place = 1, number do
        stars[place] = star(1, level_of(ranks.best))
      end
      ranks.allStars = stars[1] and stars
    end
    for place = 1, has_boss_stars and #of_raid or has_score and #of_raid or 0 do
      local rank = ranks.encounters[of_raid[place]]
      if rank then
        local level = level_of(rank.best)
        if has_score then
          local score = number_at(SCORE + level)
          local points = less_one(score)
          local step = points and floor(points / (16 * steps)) or 0
          rank.score, rank.keyLevel = points and points / steps, less_one(value(KEY_LEVEL + (step < 31 and step or 31)))
        end
        if has_boss_stars and value(STARRED) == 1 then
          rank.allStars = star(2, level)
        end
      end
    end
  end

  return function(found, whole, first, stop)
    text, last, class = whole, stop, found.classId
    state, position = begin(text, first, last)
    for section = 1, #sections, 3 do
      local raid, difficulty, metric = sections[section], sections[section + 1], sections[section + 2]
      local ranks = found.raids[raid] and found.raids[raid][difficulty]
      if ranks and ranks.metric == metric then
        read_section(ranks, encounters[raid])
      end
    end
    return found
  end
end
