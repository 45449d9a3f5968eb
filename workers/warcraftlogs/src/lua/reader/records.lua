-- Makes tables of the records of a database. See docs/lua-format.md, which names the places and says how to read one.
-- In an addon this and lookup.lua are one file, Stint.lua.
--
-- What is read for every encounter is written out where it is read: a call of a function costs as much as reading one.

local FIRST_DAY = 18262   -- 2020-01-01, in days since 1970-01-01

local byte, floor = string.byte, math.floor

-- The places of a record, as docs/lua-format.md numbers them.
local KILLS, MEDIAN, BEST, DAY, PERCENT_TENTHS, MEDIAN_TENTHS, LEVEL, SPEC = 16, 32, 40, 41, 42, 43, 44, 64
local FIRST_KILLS, SECTION, KILLED, PLACES = 1000, 2000, 3000, 4000

local LOWEST = 67108864       -- 2^26: a state below it takes in four digits
local REFILL = 78074896       -- 94^4
local FOUR_ZEROS = 27703995   -- what four bytes of the digit 0 come to as a number in base 94
local MODELLED = 50           -- a raid with more encounters has a flag for each

-- Instead of a number, a slot has one of these. Kills behind another spec than before are -2, -3, ... for 0, 1, ...
local ESCAPE, NONE = -1, -2

local function digits(text, position, width)
  local number = 0
  for index = position, position + width - 1 do
    number = number * 94 + byte(text, index) - 33
  end
  return number, position + width
end

local function count(text, position)
  local digit = byte(text, position) - 33
  if digit < 93 then
    return digit, position + 1
  end
  return 93 + digits(text, position + 1, 2), position + 3
end

-- How many slots a place has.
local function slots_of(place)
  if place < KILLS then
    return 512
  elseif place == BEST or (place >= PERCENT_TENTHS and place < FIRST_KILLS) then
    return 64
  end
  return place >= SECTION and place < KILLED and 128 or 256
end

-- What a slot of a place has for a number of the file.
local function meaning(place, number)
  if place < KILLS then
    return number > 0 and number - 1 or NONE
  elseif place < MEDIAN or (place >= FIRST_KILLS and place < SECTION) then
    return number % 2 == 0 and number / 2 or -2 - (number - 1) / 2
  end
  return number
end

-- All slots of all places lie one behind the other, so that there are few tables: `base` has the first slot of a place;
-- `value`, `share` and `rest` have what a slot means, its symbol's share of the place, and its place within the symbol.
local function read_models(text)
  local base, value, share, rest = {}, {}, {}, {}
  local position, slot = 1, 1
  local function symbol(number, slots, all)
    for index = 0, slots - 1 do
      value[slot], share[slot], rest[slot] = number, slots / all, index
      slot = slot + 1
    end
  end
  local place, symbols
  place, position = count(text, position)
  while place < PLACES do
    base[place] = slot
    symbols, position = count(text, position)
    for _ = 1, symbols do
      local width, number, slots
      width, position = digits(text, position, 1)
      number, position = digits(text, position, width)
      slots, position = count(text, position)
      symbol(meaning(place, number), slots, slots_of(place))
    end
    local escaped
    escaped, position = count(text, position)
    symbol(ESCAPE, escaped, slots_of(place))
    if slot ~= base[place] + slots_of(place) then
      error("a Stint database is damaged: place " .. place .. " of its models; install it again", 0)
    end
    place, position = count(text, position)
  end
  return base, value, share, rest
end

-- Appends the encounters that a number has a bit for.
local function append_killed(list, length, killed, of_raid)
  for place = 1, #of_raid do
    local bit = killed % 2
    killed = (killed - bit) / 2
    if bit == 1 then
      length = length + 1
      list[length] = of_raid[place]
    end
  end
  return length
end

-- What makes a table of a region's record. Everything it needs is a local of its own: that is quickest.
local function record_reader(database)
  local base, value, share, rest = read_models(database.models)
  -- A raid without any encounter has averages alone.
  local encounters = setmetatable(database.encounters, { __index = function() return {} end })
  local sections, specs = database.sections, database.specs
  local tenths = database.precision == 10
  local has_kills, has_spec = database.kills, database.spec

  -- The place of kills behind so many.
  local after_kills = setmetatable({}, { __index = function() return base[KILLS + 15] end })
  for kills = 0, 14 do
    after_kills[kills] = base[KILLS + kills]
  end

  -- The encounters of every slot of the places of killed ones: list[from[slot]] to list[upto[slot]].
  local list, length, from, upto = {}, 0, {}, {}
  for section = 0, #sections / 3 - 1 do
    local first, of_raid = base[KILLED + section], encounters[sections[3 * section + 1]]
    for slot = first or 1, first and first + 255 or 0 do
      if rest[slot] == 0 then
        from[slot] = length + 1
        length = value[slot] ~= ESCAPE and append_killed(list, length, value[slot], of_raid) or length
      else
        from[slot] = from[slot - 1]
      end
      upto[slot] = length
    end
  end

  local function refill(text, position, last, state)
    if state < LOWEST and position <= last then
      local a, b, c, d = byte(text, position, position + 3)
      return position + 4, state * REFILL + ((a * 94 + b) * 94 + c) * 94 + d - FOUR_ZEROS
    end
    return position, state
  end

  -- What an escape stands for: five bits at a time, and one that says whether another follows.
  local function escaped(text, position, last, state)
    local number, unit, piece = 0, 1
    repeat
      position, state = refill(text, position, last, state)
      piece = state % 64
      state = (state - piece) / 64
      number = number + piece % 32 * unit
      unit = unit * 32
    until piece < 32
    position, state = refill(text, position, last, state)
    return number, position, state
  end

  -- The next value at a place, and its slot.
  local function take(text, position, last, state, first, slots)
    local index = state % slots
    state = (state - index) * share[first + index] + rest[first + index]
    index = first + index
    local number = value[index]
    if number == ESCAPE then
      number, position, state = escaped(text, position, last, state)
      index = nil
    end
    if state < LOWEST and position <= last then
      local a, b, c, d = byte(text, position, position + 3)
      return number, position + 4, state * REFILL + ((a * 94 + b) * 94 + c) * 94 + d - FOUR_ZEROS, index
    end
    return number, position, state, index
  end

  -- The first digits of a record: so many that fours are left.
  local function begin(text, position, last)
    local width = last - position + 1
    if width > 8 then
      width = (width - 1) % 4 + 5
    end
    return digits(text, position, width)
  end

  -- Which encounters a section has: where they are in the list.
  local function read_killed(text, position, last, state, section, of_raid)
    if #of_raid <= MODELLED then
      local killed, index
      killed, position, state, index = take(text, position, last, state, base[KILLED + section], 256)
      if index then
        return from[index], upto[index], position, state
      end
      return length + 1, append_killed(list, length, killed, of_raid), position, state
    end
    local stop = length
    for place = 1, #of_raid do
      local flag = state % 2
      position, state = refill(text, position, last, (state - flag) / 2)
      if flag == 1 then
        stop = stop + 1
        list[stop] = of_raid[place]
      end
    end
    return length + 1, stop, position, state
  end

  -- A percentile that is more than what its slot says, in steps; nil for none.
  local function read_percent(text, position, last, state, best)
    if best == ESCAPE then
      best, position, state = escaped(text, position, last, state)
      best = best > 0 and best - 1 or NONE
    end
    if best == NONE then
      return nil, position, state
    end
    if tenths then
      local tenth
      position, state = refill(text, position, last, state)
      tenth, position, state = take(text, position, last, state, base[PERCENT_TENTHS], 64)
      best = best * 10 + tenth
    end
    return best, position, state
  end

  -- Makes percent of steps, and takes out what this database does not say.
  local function finish(ranks)
    for _, rank in pairs(ranks) do
      rank.best = rank.best and tenths and rank.best / 10 or rank.best
      rank.kills = has_kills and rank.kills or nil
      rank.spec = has_spec and rank.spec or nil
    end
  end

  -- The averages of a section: the best one lies near the mean of the percentiles, the median one below it.
  local function read_averages(text, position, last, state, mean, mean_kills)
    local best, median
    best, position, state = take(text, position, last, state, base[BEST], 64)
    if best > 0 then
      best = best % 2 == 1 and mean + (best - 1) / 2 or mean - best / 2
    else
      best = nil
    end
    local place = MEDIAN + (mean_kills < 7 and mean_kills or 7)
    median, position, state = take(text, position, last, state, base[place], 256)
    if median > 0 then
      median = median - 1
      if tenths then
        local tenth
        tenth, position, state = take(text, position, last, state, base[MEDIAN_TENTHS], 64)
        median = median * 10 + tenth
      end
      median = (best or mean) - (median % 2 == 0 and median / 2 or -(median + 1) / 2)
    else
      median = nil
    end
    if tenths then
      best, median = best and best / 10, median and median / 10
    end
    return best, median, position, state
  end

  return function(text, position, last, class)
    local value, share, rest, list, after_kills, LOWEST = value, share, rest, list, after_kills, LOWEST
    local plain = tenths and 101 or 0   -- percentiles from here on are all that there is to read
    local state, day, section, level, spec
    local raids = {}
    state, position = begin(text, position, last)
    day, position, state = take(text, position, last, state, base[DAY], 256)
    section, position, state = take(text, position, last, state, base[SECTION], 128)
    while section > 0 do
      local raid, difficulty, metric = sections[3 * section - 2], sections[3 * section - 1], sections[3 * section]
      local start, stop
      start, stop, position, state = read_killed(text, position, last, state, section - 1, encounters[raid])
      if not level then
        level, position, state = take(text, position, last, state, base[LEVEL], 64)
      end
      local percents, kills_place = base[level], base[FIRST_KILLS + section - 1]
      local ranks, total, unknown, total_kills = {}, 0, 0, 0
      for place = start, stop do
        local slot = state % 512
        local index = percents + slot
        state = (state - slot) * share[index] + rest[index]
        local best = value[index]
        if best < plain then
          best, position, state = read_percent(text, position, last, state, best)
          total, unknown = total + (best or 0), best and unknown or unknown + 1
        else
          total = total + best
        end

        slot = state % 256
        index = kills_place + slot
        state = (state - slot) * share[index] + rest[index]
        local kills = value[index]
        if kills < 0 then
          if kills == ESCAPE then
            kills, position, state = escaped(text, position, last, state)
            kills = kills % 2 == 0 and kills / 2 or -2 - (kills - 1) / 2
          end
          if kills < 0 then
            kills = -2 - kills
            slot = state % 64
            index = base[SPEC + class] + slot
            state = (state - slot) * share[index] + rest[index]
            spec = value[index]
            if spec == ESCAPE then
              spec, position, state = escaped(text, position, last, state)
            end
            spec = specs[spec + 1]
          end
        end
        kills_place = after_kills[kills]
        total_kills = total_kills + kills
        if state < LOWEST and position <= last then
          local a, b, c, d = byte(text, position, position + 3)
          position, state = position + 4, state * REFILL + ((a * 94 + b) * 94 + c) * 94 + d - FOUR_ZEROS
        end
        ranks[list[place]] = { best = best, kills = kills, spec = spec }
      end
      if tenths or not has_kills or not has_spec then
        finish(ranks)
      end

      local cells = stop - start + 1
      local mean = cells > unknown and floor(total / (cells - unknown)) or 0
      local best, median
      best, median, position, state =
        read_averages(text, position, last, state, mean, cells > 0 and floor(total_kills / cells) or 0)
      level = floor((tenths and floor(mean / 10) or mean) / 8)
      raids[raid] = raids[raid] or {}
      raids[raid][difficulty] = { metric = metric, best = best, median = median, encounters = ranks }
      section, position, state = take(text, position, last, state, base[SECTION + section], 128)
    end
    return { classId = class, updatedAt = (FIRST_DAY + day) * 86400, raids = raids }
  end
end
