-- Reads the models of a database: the expected values at each place of a record, as specified in docs/lua-format.md. In
-- an addon this, extras.lua, records.lua and lookup.lua are one file, Stint.lua.

local byte, find, floor = string.byte, string.find, math.floor

-- The format of a database without extras, and with them.
local FORMAT, FORMAT_WITH_EXTRAS = 2, 3

-- The places of a record, as docs/lua-format.md numbers them.
local KILLS, MEDIAN, BEST, DAY, PERCENT_TENTHS, MEDIAN_TENTHS, LEVEL, SPEC = 16, 32, 40, 41, 42, 43, 44, 64
local EXTRAS, FIRST_KILLS, SECTION, KILLED, PLACES = 128, 1000, 2000, 3000, 4000

local LOWEST = 67108864       -- 2^26: a state below it is refilled with four digits
local REFILL = 78074896       -- 94^4
-- The value of this many bytes of the digit 0 as a number in base 94.
local TWO_ZEROS, THREE_ZEROS, FOUR_ZEROS, FIVE_ZEROS = 3135, 294723, 27703995, 2604175563
local MODELLED = 50           -- a raid with more encounters has a flag for each

-- Special meanings of a slot, in place of a number. Kills after a change of spec are -2, -3, ... for 0, 1, ...
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

-- Number of slots of a place.
local function slots_of(place)
  if place < KILLS then
    return 512
  elseif place == BEST or (place >= PERCENT_TENTHS and place < EXTRAS) then
    return 64
  end
  return place >= SECTION and place < KILLED and 128 or 256
end

-- The value that a slot of a place holds for a number in the file.
local function meaning(place, number)
  if place < KILLS then
    return number > 0 and number - 1 or NONE
  elseif place < MEDIAN or (place >= FIRST_KILLS and place < SECTION) then
    return number % 2 == 0 and number / 2 or -2 - (number - 1) / 2
  end
  return number
end

-- All slots of all places are in one list, so that there are few tables: `base` has the first slot of a place; `value`,
-- `share` and `rest` have a slot's meaning, its symbol's share of the place, and its position within the symbol.
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

