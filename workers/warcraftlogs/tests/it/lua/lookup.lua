-- Loads the databases of a folder as a game client does, by the tables of contents, and prints one line for every query
-- in a file: lua5.1 lookup.lua FOLDER "EU US" QUERIES; a query is "region<TAB>server<TAB>name".
local folder, regions, queries = ...
local function load_addon(addon)
  local shared = {}
  for file in io.lines(folder .. "/" .. addon .. "/" .. addon .. ".toc") do
    if file ~= "" and not file:find("^##") then
      assert(loadfile(folder .. "/" .. addon .. "/" .. file))(addon, shared)
    end
  end
end
load_addon("Stint")
for region in regions:gmatch("%w+") do
  load_addon("Stint_" .. region)
end

local function sorted(map)
  local keys = {}
  for key in pairs(map) do keys[#keys + 1] = key end
  table.sort(keys)
  return ipairs(keys)
end

local function stars(all_stars)
  local parts = {}
  for _, one in ipairs(all_stars or {}) do
    local places = tostring(one.rank) .. "/" .. tostring(one.regionRank) .. "/" .. tostring(one.serverRank)
    local of = tostring(one.spec) .. "/" .. tostring(one.partition)
    parts[#parts + 1] = ("*%s/%s/%s"):format(of, tostring(one.points), places)
  end
  return table.concat(parts)
end

local function line(found)
  if not found then return "nil" end
  local parts = { found.classId .. "|" .. found.updatedAt }
  for _, raid in sorted(found.raids) do
    for _, difficulty in sorted(found.raids[raid]) do
      local ranks = found.raids[raid][difficulty]
      local best, median = tostring(ranks.best), tostring(ranks.median)
      parts[#parts + 1] = ("|%d.%d:%s,%s,%s"):format(raid, difficulty, ranks.metric, best, median)
      parts[#parts + 1] = stars(ranks.allStars)
      for _, encounter in sorted(ranks.encounters) do
        local rank = ranks.encounters[encounter]
        parts[#parts + 1] = (";%d=%s/%d/%s"):format(encounter, tostring(rank.best), rank.kills or 0, rank.spec or "")
        if rank.score or rank.keyLevel then
          parts[#parts + 1] = "+" .. tostring(rank.score) .. "/" .. tostring(rank.keyLevel)
        end
        parts[#parts + 1] = stars({ rank.allStars })
      end
    end
  end
  return table.concat(parts)
end

for query in io.lines(queries) do
  local region, server, name = query:match("^([^\t]*)\t([^\t]*)\t(.*)$")
  print(line(Stint.lookup(region, server, name)))
end
