-- The layout to beat: finds players in sorted strings and makes the same tables from their records, without averages
-- and dates, which they do not have. lua5.1 sorted_strings.lua DATABASE NAMES

local byte, find, floor = string.byte, string.find, math.floor
local clock = os.clock
local WINDOW = 400
local BOSSES = { 12, 10, 8 }
local CLASS_SPECS = { "Spec 0", "Spec 1", "Spec 2", "Spec 3" }

local function find_line(text, name)
  local low, high = 1, #text
  while high - low > WINDOW do
    local middle = floor((low + high) / 2)
    local line, last, other = find(text, "\n([^!-.]+)", middle)
    if not line or line > high or other > name then
      high = middle
    elseif other == name then
      return last + 1
    else
      low = line
    end
  end
  local position, last = find(text, "\n" .. name, low, true)
  while position do
    if byte(text, last + 1) < 65 then
      return last + 1
    end
    position, last = find(text, "\n" .. name, last, true)
  end
end

local function read(text, position)
  local found = { classId = byte(text, position) - 33, raids = {} }
  position = position + 1
  local head = byte(text, position)
  while head ~= 10 do
    head = head - 33
    local full = head % 2
    local section = (head - full) / 2
    local raid = floor(section / 3) + 1
    position = position + 1
    local killed = 2 ^ BOSSES[raid] - 1
    if full == 0 then
      local high, low = byte(text, position, position + 1)
      killed, position = high * 94 + low - 3135, position + 2
    end
    local encounters, boss = {}, 2280 + 20 * raid
    while killed > 0 do
      local bit = killed % 2
      killed = (killed - bit) / 2
      if bit == 1 then
        local high, low = byte(text, position, position + 1)
        local cell = high * 94 + low - 3135
        local rest = cell % 84
        local spec = rest % 4
        encounters[boss] = { best = (cell - rest) / 84, kills = (rest - spec) / 4 + 1, spec = CLASS_SPECS[spec + 1] }
        position = position + 2
      end
      boss = boss + 1
    end
    found.raids[raid] = found.raids[raid] or {}
    found.raids[raid][section % 3 + 3] = { encounters = encounters }
    head = byte(text, position)
  end
  return found
end

collectgarbage()
collectgarbage()
local before = collectgarbage("count")
local begun = clock()
DB = {}
dofile(arg[1])
local load = clock() - begun
collectgarbage()
collectgarbage()
local memory = collectgarbage("count") - before

local sample = {}
for line in io.lines(arg[2]) do
  local server, name = line:match("^(.-)\t(.*)$")
  sample[#sample + 1] = { DB[server], name }
end
local function each(work)
  local best
  for _ = 1, 3 do
    local start = clock()
    for index = 1, #sample do
      work(sample[index][1], sample[index][2])
    end
    local took = (clock() - start) / #sample
    best = best and math.min(best, took) or took
  end
  return best * 1e6
end
local found = 0
local find_us = each(function(text, name)
  if find_line(text, name) then found = found + 1 end
end)
assert(found == 3 * #sample, "every player of the sample is there")
local decode_us = each(function(text, name) return read(text, find_line(text, name)) end)
local scale = 100000 / tonumber(arg[3])
print(string.format("load_ms %.4f\nmemory_kb %.4f\nfind_us %.4f\ndecode_us %.4f", load * 1000 * scale, memory * scale,
  find_us, decode_us))
