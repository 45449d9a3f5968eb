-- Loads a database and looks players up: lua5.1 measure.lua READER DATABASE NAMES. Prints one figure per line.

local clock = os.clock
local reader, database, names = arg[1], arg[2], arg[3]

local function settled()
  collectgarbage()
  collectgarbage()
  return collectgarbage("count")
end

-- Counts everything that a collection has to visit: tables, strings and functions, each once.
local function objects(root)
  local seen, number = {}, 0
  local function visit(value)
    local kind = type(value)
    if (kind == "table" or kind == "string" or kind == "function") and not seen[value] then
      seen[value] = true
      number = number + 1
      if kind == "table" then
        for key, item in pairs(value) do
          visit(key)
          visit(item)
        end
      end
    end
  end
  visit(root)
  return number
end

dofile(reader)
local before = settled()
local begun = clock()
dofile(database)
local load = clock() - begun
local memory = settled() - before
begun = clock()
for _ = 1, 20 do
  collectgarbage()
end
local collection = (clock() - begun) / 20
local players = StintDatabases.US.players
local kept = objects(StintDatabases)

local sample = {}
for line in io.lines(names) do
  local server, name = line:match("^(.-)\t(.*)$")
  sample[#sample + 1] = { server, name, name .. "x" }
end

-- Each server is looked up once first; what is measured is the cost of every later look-up.
for _, one in ipairs(sample) do
  Stint.find("US", one[1], one[2])
end
begun = clock()
Stint.lookup("US", sample[1][1], sample[1][2])
local first = clock() - begun

local function each(work)
  local best
  for _ = 1, 3 do
    local start = clock()
    for index = 2, #sample do
      local one = sample[index]
      work("US", one[1], one[2], one[3])
    end
    local took = (clock() - start) / (#sample - 1)
    best = best and math.min(best, took) or took
  end
  return best * 1e6
end

local found, missed = 0, 0
local find = each(function(region, server, name)
  if Stint.find(region, server, name) then found = found + 1 end
end)
local miss = each(function(region, server, _, absent)
  if not Stint.find(region, server, absent) then missed = missed + 1 end
end)
assert(found == missed and found == 3 * (#sample - 1), "every player of the sample is there, and nobody else")

-- Each player once: the sample is larger than the reader's cache.
local cells = 0
local start = clock()
for index = 2, #sample do
  Stint.lookup("US", sample[index][1], sample[index][2])
end
local decode = (clock() - start) / (#sample - 1) * 1e6
for index = 2, #sample do
  for _, difficulties in pairs(Stint.lookup("US", sample[index][1], sample[index][2]).raids) do
    for _, ranks in pairs(difficulties) do
      for _ in pairs(ranks.encounters) do
        cells = cells + 1
      end
    end
  end
end

-- Creates the same tables from constants: the rest of the time is for reading.
local function tables()
  local made = { classId = 1, updatedAt = 1, raids = {} }
  for raid = 1, 3 do
    local encounters = {}
    for boss = 2301, 2308 do
      encounters[boss] = { best = boss, kills = boss, spec = "Fire" }
    end
    made.raids[raid] = { [4] = { metric = "dps", best = 1, median = 1, encounters = encounters } }
  end
  return made
end
start = clock()
for _ = 1, 20000 do
  tables()
end
local constants = (clock() - start) / 20000 * 1e6

start = clock()
for _ = 1, 200000 do
  Stint.lookup("US", sample[2][1], sample[2][2])
end
local repeated = (clock() - start) / 200000 * 1e6

local scale = 100000 / players
local function say(name, value)
  print(string.format("%s %.4f", name, value))
end
say("load_ms", load * 1000 * scale)
say("memory_kb", memory * scale)
say("collection_ms", collection * 1000 * scale)
say("objects", kept)
say("first_ms", first * 1000)
say("find_us", find)
say("miss_us", miss)
say("decode_us", decode)
say("tables_us", constants)
say("repeated_us", repeated)
say("cells", cells / (#sample - 1))
