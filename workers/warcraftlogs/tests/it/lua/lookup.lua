-- Loads the databases of a folder as a game client does, from its table of contents, and answers every query of a file:
-- lua5.1 lookup.lua FOLDER QUERIES; a query is "region<TAB>server<TAB>name", an answer one line.
local folder, queries = ...
for file in io.lines(folder .. "/Stint.toc") do
  if file ~= "" and not file:find("^##") then
    dofile(folder .. "/" .. file)
  end
end

local function sorted(map)
  local keys = {}
  for key in pairs(map) do keys[#keys + 1] = key end
  table.sort(keys)
  return ipairs(keys)
end

local function line(found)
  if not found then return "nil" end
  local parts = { found.classId .. "|" .. found.updatedAt }
  for _, raid in sorted(found.raids) do
    for _, difficulty in sorted(found.raids[raid]) do
      local ranks = found.raids[raid][difficulty]
      parts[#parts + 1] = ("|%d.%d:%s,%s,%s"):format(raid, difficulty, ranks.metric, tostring(ranks.best), tostring(ranks.median))
      for _, encounter in sorted(ranks.encounters) do
        local rank = ranks.encounters[encounter]
        parts[#parts + 1] = (";%d=%s/%d/%s"):format(encounter, tostring(rank.best), rank.kills, rank.spec)
      end
    end
  end
  return table.concat(parts)
end

for query in io.lines(queries) do
  local region, server, name = query:match("^([^\t]*)\t([^\t]*)\t(.*)$")
  print(line(Stint.lookup(region, server, name)))
end
