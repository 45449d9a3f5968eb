
-- Reads the databases of Stint: plain Lua 5.1, without the game's functions. See docs/lua-format.md.
--
--   Stint.lookup("EU", "Tarren Mill", "Ann")      a server by its display name, normalized name or slug
--   Stint.lookup("EU", nil, "Ann-TarrenMill")     as the game writes a character from another realm
--
-- returns nil, or {classId=, updatedAt=, raids={[26]={[4]={metric=, best=, median=,
--   encounters={[2398]={best=, kills=, spec=}}}}}}; updatedAt is midnight UTC of that day in Unix seconds. A database
-- with extras has allStars={{spec=, partition=, points=, rank=, regionRank=, serverRank=}, ...} beside encounters, and
-- score=, keyLevel= and one allStars={...} beside kills. Results are cached, and equal ranks share a table, so a caller
-- must not change them. Stint.find takes the same arguments, and only returns whether the player is there.

local KEPT = 200   -- cached results for each region

local char, gsub, lower, match, sub, tonumber, upper =
  string.char, string.gsub, string.lower, string.match, string.sub, tonumber, string.upper

-- The database's escapes for characters that would end a name, such as the digits of a forced rename.
local ESCAPES = { ["~"] = "~~" }
for code = 32, 64 do
  ESCAPES[char(code)] = "~" .. char(code + 33)
end

StintDatabases = StintDatabases or {}
Stint = { format = FORMAT_WITH_EXTRAS }

-- Finds a name in a server's string, which begins with a directory of buckets. Returns the bucket's string, where the
-- record continues after the class, where it ends, and the class.
local function find_record(text, name)
  local a, b, c = byte(name, 1, 3)
  local x, y, z = byte(name, -3, -1)
  local sum = (((((a * 31 + (b or 0)) * 31 + (c or 0)) * 31 + x) * 31 + (y or 0)) * 31 + (z or 0)) * 31 + #name
  local d, e, f, g, h
  a, b, c, d = byte(text, 1, 4)
  local place = sum % (((a * 94 + b) * 94 + c) * 94 + d - FOUR_ZEROS) * 4 + 5
  a, b, c, d, e, f, g, h = byte(text, place, place + 7)
  local bucket = sub(text, ((a * 94 + b) * 94 + c) * 94 + d - FOUR_ZEROS, ((e * 94 + f) * 94 + g) * 94 + h - FOUR_ZEROS)
  local line = "\n" .. name
  local _, last = find(bucket, line, 1, true)
  while last do
    local class = byte(bucket, last + 1)
    -- Otherwise the found name only begins with this one.
    if class < 65 then
      return bucket, last + 2, find(bucket, "\n", last + 2, true) - 1, class - 33
    end
    _, last = find(bucket, line, last + 1, true)
  end
end

-- Folds server names for comparison: spaces, hyphens, apostrophes (straight or curly) and the case of ASCII letters do
-- not matter.
local function folded(names)
  return (gsub(gsub(lower(names), "[ '-]", ""), "\226\128[\152\153]", ""))
end

-- The strings of all servers with that name: two may share a display name.
local function servers_called(opened, server)
  local texts, position = {}, 1
  local names, wanted = opened.names, "\t" .. folded(server) .. "\t"
  while #wanted > 2 do
    local _, last = find(names, wanted, position, true)
    if not last then
      break
    end
    position = find(names, "\n", last, true)
    texts[#texts + 1] = opened.database.data[tonumber(match(sub(names, last, position), "\t(%d+)\n$"))]
  end
  return texts
end

-- Whether the database was loaded completely: its models come last, followed only by a comment. A file that was cut
-- within a text or a table is not run at all.
local function is_whole(database)
  local _, lines = gsub(database.servers or "", "\n", "\n")
  for place = 1, lines - 1 do
    if not database.data[place] then
      return false
    end
  end
  return database.models ~= nil
end

-- Cached for each region: its database, its reader, its servers' folded names, and the servers that were requested.
local known = {}

local function open(region)
  local database = StintDatabases[region]
  if not database then
    return nil
  end
  if database.format and database.format ~= FORMAT and database.format ~= FORMAT_WITH_EXTRAS then
    error("the Stint database of region " .. region .. " has format " .. tostring(database.format)
      .. ", this reader reads formats " .. FORMAT .. " and " .. FORMAT_WITH_EXTRAS
      .. ": install both from the same release", 0)
  end
  if not is_whole(database) then
    error("the Stint database of region " .. region .. " was cut short or damaged: install it again", 0)
  end
  known[region] = { database = database, servers = {}, names = folded(database.servers), answers = {}, kept = 0 }
  return known[region]
end

local function open_region(region)
  return known[region] or known[upper(region)] or open(upper(region))
end

local function open_server(opened, server)
  local texts = servers_called(opened, server)
  if #texts > 0 then
    opened.servers[server] = texts
  end
  return texts
end

-- The requested region, server and name. A name may include its server: `Ann-TarrenMill`.
local function place_of(region, server, name)
  local opened = open_region(region)
  local dash = find(name, "-", 1, true)
  if dash then
    name, server = sub(name, 1, dash - 1), sub(name, dash + 1)
  end
  if not opened or not server or server == "" or name == "" then
    return nil
  end
  if find(name, "[ -@~]") then
    name = gsub(name, "[ -@~]", ESCAPES)
  end
  return opened, opened.servers[server] or open_server(opened, server), name
end

local function find_player(texts, name)
  for index = 1, #texts do
    local bucket, position, last, class = find_record(texts[index], name)
    if bucket then
      return bucket, position, last, class
    end
  end
end

-- Whether a region has a server with that name.
function Stint.knows(region, server)
  local opened = open_region(region)
  return opened ~= nil and #(opened.servers[server] or open_server(opened, server)) > 0
end

-- Drops a region's database, so that its memory is free again.
function Stint.forget(region)
  StintDatabases[region], known[region] = nil, nil
end

-- Whether a player is there; also false if the region or the server is not.
function Stint.find(region, server, name)
  local _, texts, own_name = place_of(region, server, name)
  return texts ~= nil and find_player(texts, own_name) ~= nil
end

-- Finds a player; nil if the region, the server or the player is not there.
function Stint.lookup(region, server, name)
  local opened, texts, own_name = place_of(region, server, name)
  if not opened then
    return nil
  end
  local answers = opened.answers[texts]
  if answers and answers[own_name] then
    return answers[own_name]
  end
  local bucket, position, last, class = find_player(texts, own_name)
  if not bucket then
    return nil
  end
  opened.read = opened.read or record_reader(opened.database)
  local answer = opened.read(bucket, position, last, class)
  if opened.kept >= KEPT then
    opened.answers, opened.kept, answers = {}, 0, nil
  end
  answers = answers or {}
  opened.answers[texts], opened.kept = answers, opened.kept + 1
  answers[own_name] = answer
  return answer
end
