-- Makes tables from the records of a database. See docs/lua-format.md, which names the places and says how to read one.
-- In an addon this is one file with models.lua, extras.lua and lookup.lua, Stint.lua.
--
-- The code that reads encounters and sections is inlined: a function call would cost as much as the reading itself.

local FIRST_DAY = 18262   -- 2020-01-01, in days since 1970-01-01
local KEPT_RANKS = 8192   -- number of ranks kept for sharing
local FEW_KILLS = 32      -- only ranks with fewer kills are shared

-- An empty table with room for this many keys, of which `key` is one: otherwise it would be reallocated at each power
-- of two. The number of keys in the constructor counts, even if they are all one key without a value.
local function table_for(number, key)
  if number > 16 then
    return {
      [key] = nil, [key] = nil, [key] = nil, [key] = nil, [key] = nil, [key] = nil, [key] = nil, [key] = nil,
      [key] = nil, [key] = nil, [key] = nil, [key] = nil, [key] = nil, [key] = nil, [key] = nil, [key] = nil,
      [key] = nil,
    }
  elseif number > 8 then
    return {
      [key] = nil, [key] = nil, [key] = nil, [key] = nil, [key] = nil, [key] = nil, [key] = nil, [key] = nil,
      [key] = nil,
    }
  elseif number > 4 then
    return { [key] = nil, [key] = nil, [key] = nil, [key] = nil, [key] = nil }
  elseif number > 2 then
    return { [key] = nil, [key] = nil, [key] = nil }
  end
  return {}
end

-- Appends the encounters whose bits are set in a number.
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

-- Returns the function that makes a table of a region's record. Everything it needs is a local variable: that is
-- fastest.
local function record_reader(database)
  local base, value, share, rest = read_models(database.models)
  -- A raid without encounters has only averages.
  local encounters = setmetatable(database.encounters, { __index = function() return {} end })
  local sections, specs = database.sections, database.specs
  local tenths = database.precision == 10
  local has_kills, has_spec = database.kills, database.spec
  -- Extras of encounters are added to their ranks, which then cannot be shared.
  local shares = not database.score and not database.bossAllStars

  -- The place of kills after this many kills.
  local after_kills = setmetatable({}, { __index = function() return base[KILLS + 15] end })
  for kills = 0, 14 do
    after_kills[kills] = base[KILLS + kills]
  end

  -- The encounters of every slot of the KILLED places: list[from[slot]] to list[upto[slot]].
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

  -- The number after an escape: five bits at a time, plus one that tells whether another piece follows.
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

  -- The next value at a place.
  local function take(text, position, last, state, first, slots)
    local index = state % slots
    state = (state - index) * share[first + index] + rest[first + index]
    index = first + index
    local number = value[index]
    if number == ESCAPE then
      return escaped(text, position, last, state)
    end
    position, state = refill(text, position, last, state)
    return number, position, state
  end

  -- The first digits of a record: enough that a multiple of four remains.
  local function begin(text, position, last)
    local width = last - position + 1
    if width <= 8 then
      return digits(text, position, width)
    end
    width = (width - 1) % 4 + 5
    local a, b, c, d, e, f, g, h = byte(text, position, position + width - 1)
    local state = (((a * 94 + b) * 94 + c) * 94 + d) * 94 + e - FIVE_ZEROS
    if h then
      state = ((state * 94 + f) * 94 + g) * 94 + h - THREE_ZEROS
    elseif g then
      state = (state * 94 + f) * 94 + g - TWO_ZEROS
    elseif f then
      state = state * 94 + f - 33
    end
    return state, position + width
  end

  -- The encounters of a section, as positions in the list.
  local function read_killed(text, position, last, state, section, of_raid)
    if #of_raid <= MODELLED then
      local slot = state % 256
      local index = base[KILLED + section] + slot
      state = (state - slot) * share[index] + rest[index]
      if value[index] ~= ESCAPE then
        if state < LOWEST then
          position, state = refill(text, position, last, state)
        end
        return from[index], upto[index], position, state
      end
      local killed
      killed, position, state = escaped(text, position, last, state)
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

  -- A percentile whose slot does not hold its final value, in steps, or NONE.
  local function read_percent(text, position, last, state, best)
    if best == ESCAPE then
      best, position, state = escaped(text, position, last, state)
      best = best > 0 and best - 1 or NONE
    end
    if best == NONE then
      return NONE, position, state
    end
    if tenths then
      local tenth
      position, state = refill(text, position, last, state)
      tenth, position, state = take(text, position, last, state, base[PERCENT_TENTHS], 64)
      best = best * 10 + tenth
    end
    return best, position, state
  end

  -- Ranks that are equal share a table: by spec, then by percentile and kills.
  local shared, kept = {}, 0

  -- The ranks of a spec that were already made.
  local function ranks_of(spec)
    shared[spec] = shared[spec] or {}
    return shared[spec]
  end

  -- Makes a rank with the fields that this database contains.
  local function new_rank(ranks, key, best, kills, spec)
    local rank = { best = best, kills = has_kills and kills or nil, spec = has_spec and spec or nil }
    if best == NONE then
      rank.best = nil
    elseif tenths then
      rank.best = best / 10
    end
    if shares and kills < FEW_KILLS then
      ranks[key], kept = rank, kept + 1
    end
    return rank
  end

  -- The averages of a section: the best one is near the mean of the percentiles, the median one below it.
  local function read_averages(text, position, last, state, mean, mean_kills)
    local slot = state % 64
    local index = base[BEST] + slot
    state = (state - slot) * share[index] + rest[index]
    local best = value[index]
    if best == ESCAPE then
      best, position, state = escaped(text, position, last, state)
    elseif state < LOWEST then
      position, state = refill(text, position, last, state)
    end
    if best > 0 then
      best = best % 2 == 1 and mean + (best - 1) / 2 or mean - best / 2
    else
      best = nil
    end
    slot = state % 256
    index = base[MEDIAN + (mean_kills < 7 and mean_kills or 7)] + slot
    state = (state - slot) * share[index] + rest[index]
    local median = value[index]
    if median == ESCAPE then
      median, position, state = escaped(text, position, last, state)
    elseif state < LOWEST then
      position, state = refill(text, position, last, state)
    end
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

  local function read(text, position, last, class)
    local value, share, rest, list, after_kills = value, share, rest, list, after_kills
    local LOWEST, FEW_KILLS = LOWEST, FEW_KILLS
    local plain = tenths and 101 or 0   -- for percentiles from here on, nothing more has to be read
    local state, day, section, level, spec, same_spec
    local raids = {}
    if kept > KEPT_RANKS then
      shared, kept = {}, 0
    end
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
      local cells = stop - start + 1
      local ranks, total, unknown, total_kills = table_for(cells, list[start]), 0, 0, 0
      for place = start, stop do
        local slot = state % 512
        local index = percents + slot
        state = (state - slot) * share[index] + rest[index]
        local best = value[index]
        if best < plain then
          best, position, state = read_percent(text, position, last, state, best)
          if best == NONE then
            unknown = unknown + 1
          else
            total = total + best
          end
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
            same_spec = ranks_of(spec)
          end
        end
        kills_place = after_kills[kills]
        total_kills = total_kills + kills
        if state < LOWEST and position <= last then
          local a, b, c, d = byte(text, position, position + 3)
          position, state = position + 4, state * REFILL + ((a * 94 + b) * 94 + c) * 94 + d - FOUR_ZEROS
        end
        local key = best * FEW_KILLS + kills
        ranks[list[place]] = kills < FEW_KILLS and same_spec[key] or new_rank(same_spec, key, best, kills, spec)
      end

      local mean = 0
      if cells > unknown then
        mean = total / (cells - unknown)
        mean = mean - mean % 1
      end
      local best, median
      best, median, position, state =
        read_averages(text, position, last, state, mean, cells > 0 and floor(total_kills / cells) or 0)
      level = tenths and floor(mean / 80) or (mean - mean % 8) / 8
      raids[raid] = raids[raid] or {}
      raids[raid][difficulty] = { metric = metric, best = best, median = median, encounters = ranks }
      local slot = state % 128
      local index = base[SECTION + section] + slot
      state = (state - slot) * share[index] + rest[index]
      section = value[index]
      if section == ESCAPE then
        section, position, state = escaped(text, position, last, state)
      elseif state < LOWEST then
        position, state = refill(text, position, last, state)
      end
    end
    return { classId = class, updatedAt = (FIRST_DAY + day) * 86400, raids = raids }
  end

  if database.format == FORMAT then
    return read
  end
  local add_extras = extras_reader(database, base, take, refill, begin)
  return function(text, position, last, class)
    local space = find(text, " ", position, true)
    return add_extras(read(text, position, space - 1, class), text, space + 1, last)
  end
end
