-- Reads the databases of Stint: plain Lua 5.1, without the game's functions. See docs/lua-format.md.
--
--   Stint.lookup("EU", "Tarren Mill", "Ann")      a server by its display name, normalized name or slug
--   Stint.lookup("EU", nil, "Ann-TarrenMill")     as the game writes a foreign character
--
-- returns nil, or {classId=, updatedAt=, raids={[26]={[4]={metric=, best=, median=,
--   encounters={[2398]={best=, kills=, spec=}}}}}}; updatedAt is midnight UTC of that day in Unix seconds.

local FORMAT = 1
local FIRST_DAY = 18262   -- 2020-01-01, in days since 1970-01-01
local MAX_KILLS_AND_ZERO = 201

local byte, find, floor, match, sub, upper =
  string.byte, string.find, math.floor, string.match, string.sub, string.upper

StintDatabases = StintDatabases or {}
Stint = { format = FORMAT }

-- A digit is one byte from "!" (0) to "~" (93); numbers have the high digit first.

local function pair(text, position)
  local high, low = byte(text, position, position + 1)
  return high * 94 + low - 3135
end

-- One digit up to 92; 93 says that a pair follows. Returns the number and the position behind it.
local function count(text, position)
  local digit = byte(text, position) - 33
  if digit < 93 then
    return digit, position + 1
  end
  return 93 + pair(text, position + 1), position + 3
end

local function percentile(tenths_plus_one)
  if tenths_plus_one > 0 then
    return (tenths_plus_one - 1) / 10
  end
end

-- Which encounters of a raid have a cell, in the order of the cells; and the position behind.
local function read_killed(text, position, encounters)
  local digit = byte(text, position) - 33
  position = position + 1
  local killed = {}
  if digit < 47 then
    for place = 1, digit do
      killed[place] = encounters[place]
    end
    return killed, position
  end
  local place = 0
  for index = position, position + digit - 48 do
    local bits = byte(text, index) - 33
    for _ = 1, 6 do
      place = place + 1
      if bits % 2 == 1 then
        killed[#killed + 1] = encounters[place]
      end
      bits = floor(bits / 2)
    end
  end
  return killed, position + digit - 47
end

local function read_cells(text, position, killed, specs)
  local encounters, number_of_specs = {}, #specs
  local width = number_of_specs <= 4 and 3 or 4
  for index = 1, #killed do
    local first, second, third, fourth = byte(text, position, position + width - 1)
    local cell = (first * 94 + second) * 94 + third - 294723
    if fourth then
      cell = cell * 94 + fourth - 33
    end
    local rest = floor(cell / number_of_specs)
    encounters[killed[index]] = {
      best = percentile(floor(rest / MAX_KILLS_AND_ZERO)),
      kills = rest % MAX_KILLS_AND_ZERO,
      spec = specs[cell % number_of_specs + 1],
    }
    position = position + width
  end
  return encounters, position
end

local function read_specs(database, text, position)
  local specs, total, number = {}, nil, nil
  total, position = count(text, position)
  for index = 1, total do
    number, position = count(text, position)
    specs[index] = database.specs[number + 1]
  end
  return specs, position
end

-- The record whose class digit is at this position.
local function read_record(database, text, position)
  local found = { classId = byte(text, position) - 33, raids = {} }
  found.updatedAt = (FIRST_DAY + pair(text, position + 1)) * 86400
  local specs, section
  specs, position = read_specs(database, text, position + 3)
  while byte(text, position) ~= 10 do
    section, position = count(text, position)
    local raid, difficulty = database.sections[3 * section + 1], database.sections[3 * section + 2]
    local ranks, killed = { metric = database.sections[3 * section + 3] }, nil
    killed, position = read_killed(text, position, database.encounters[raid])
    ranks.best, ranks.median = percentile(pair(text, position)), percentile(pair(text, position + 2))
    ranks.encounters, position = read_cells(text, position + 4, killed, specs)
    local difficulties = found.raids[raid] or {}
    found.raids[raid] = difficulties
    difficulties[difficulty] = ranks
  end
  return found
end

-- The position behind the name, or nil. Names are sorted by bytes, and so compares the "C" locale, which the game has.
-- A line's name ends where a byte from "!" to "@" stands, which no name has.
local function find_name(text, name)
  local low, high = 1, #text
  while low <= high do
    local middle = floor((low + high) / 2)
    local line, last, other = find(text, "\n([^!-@]+)", middle)
    if not line or line > high or other > name then
      high = middle - 1
    elseif other == name then
      return last + 1
    else
      low = last
    end
  end
end

-- The strings of all servers that are called so: two may share a display name.
local function each_server(database, server)
  local position = 1
  return function()
    local _, last = find(database.servers, "\t" .. server .. "\t", position, true)
    if last then
      position = find(database.servers, "\n", last, true)
      return database.data[tonumber(match(sub(database.servers, last, position), "\t(%d+)\n$"))]
    end
  end
end

local function database_of(region)
  local database = StintDatabases[upper(region)]
  if database and database.format ~= FORMAT then
    error("the Stint database of region " .. upper(region) .. " has format " .. tostring(database.format)
      .. ", this reader reads format " .. FORMAT .. ": install both from the same release", 3)
  end
  return database
end

-- Finds a player; nil when the region, the server or the player is not there.
function Stint.lookup(region, server, name)
  local database = database_of(region)
  local own_name, own_server = match(name, "^([^%-]*)%-(.+)$")
  if own_name then
    name, server = own_name, own_server
  end
  if not database or not server or server == "" or name == "" then
    return nil
  end
  for text in each_server(database, server) do
    local position = find_name(text, name)
    if position then
      return read_record(database, text, position)
    end
  end
end
