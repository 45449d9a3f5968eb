-- Loads the database of the player's region at login, and no other if the region can be determined. Each database is an
-- addon of its own, loaded on demand.

local _, addon = ...

-- In the order of GetCurrentRegion's numbers; GetCurrentRegionName is not in every client.
local REGIONS = { "US", "KR", "EU", "TW", "CN" }

-- Data older than this many days are reported as old.
local OLD_AFTER_DAYS = 14
local DAY = 24 * 60 * 60

local said = {}

-- The databases loaded by this file, by region: another addon may have loaded others for itself.
local loaded_here = {}

-- Prints a line in the chat, the same line only once.
function addon.say(text)
  if not said[text] then
    said[text] = true
    print(addon.coloured("Stint", addon.GOLD) .. ": " .. text)
  end
end

-- The client's region, or nil if it is none of the five, as on a test realm. It is not always the player's region: many
-- EU clients report US.
local function current_region()
  local number = GetCurrentRegion and GetCurrentRegion()
  local name = GetCurrentRegionName and GetCurrentRegionName()
  return REGIONS[number] or (name ~= "" and name) or nil
end

-- Calls a function of the game that newer clients have in C_AddOns.
local function of_addons(name, ...)
  local call = C_AddOns and C_AddOns[name] or _G[name]
  if call then
    return call(...)
  end
end

-- A field of the table of contents of the region's addon.
function addon.metadata(field)
  return addon.region and of_addons("GetAddOnMetadata", "Stint_" .. addon.region, field)
end

-- The regions whose databases are installed, as two lists: those that may be loaded, and those that are switched off.
-- The client's own region comes first.
local function installed(own)
  local usable, switched_off = {}, {}
  for index = 1, of_addons("GetNumAddOns") or 0 do
    local name, _, _, _, reason = of_addons("GetAddOnInfo", index)
    local region = name:match("^Stint_(%w+)$")
    if region then
      local list = reason == "DISABLED" and switched_off or usable
      table.insert(list, region == own and 1 or #list + 1, region)
    end
  end
  return usable, switched_off
end

local function say_none(own, switched_off)
  local off = switched_off[1]
  if off then
    local which = off == own and "the database for your region is switched off" or "no database is switched on"
    addon.say(which .. ": enable the addon Stint_" .. off)
  elseif own then
    addon.say("there is no database for your region: install the addon Stint_" .. own)
  else
    addon.say("the region of this client is unknown, and no database is installed")
  end
end

-- Loads a region's database. Returns whether it can be used, and prints the reason if it cannot.
local function load_region(region)
  local name = "Stint_" .. region
  if not StintDatabases[region] then
    local loaded, reason = of_addons("LoadAddOn", name)
    if not loaded then
      -- The reason in the client's own words.
      reason = _G["ADDON_" .. tostring(reason)] or tostring(reason)
      addon.say("the addon " .. name .. " could not be loaded: " .. reason)
      return false
    end
    loaded_here[region] = true
  end
  if not StintDatabases[region] then
    addon.say("the Stint database of region " .. region .. " was cut short or damaged: install it again")
    return false
  end
  -- The reader refuses a database of another format, or an incomplete one.
  local fine, problem = pcall(Stint.knows, region, "-")
  if not fine then
    addon.say(tostring(problem))
  end
  return fine
end

-- The region whose database has the player's realm. If none has it, the first that can be used: the client's own, or
-- the only one.
local function choose(regions)
  local first
  for _, region in ipairs(regions) do
    if load_region(region) then
      if Stint.knows(region, addon.own_realm()) then
        return region, true
      end
      first = first or region
    end
  end
  return first, false
end

local function say_if_old(region)
  local year, month, day = tostring(StintDatabases[region].updatedAt):match("^(%d+)-(%d+)-(%d+)$")
  if not year then
    return
  end
  local updated_at = time({ year = tonumber(year), month = tonumber(month), day = tonumber(day), hour = 12 })
  local age = math.floor((time() - updated_at) / DAY)
  if age > OLD_AFTER_DAYS then
    addon.say(("the ranks of Stint_%s are %d days old: update it"):format(region, age))
  end
end

-- Loads and tests the database. Prints what is wrong, if anything is.
function addon.load()
  if addon.region then
    return
  end
  local own = current_region()
  local usable, switched_off = installed(own)
  if not usable[1] then
    say_none(own, switched_off)
    return
  end
  local region, knows_realm = choose(usable)
  if not region then
    return
  end
  for _, other in ipairs(usable) do
    if other ~= region and loaded_here[other] then
      Stint.forget(other)
    end
  end
  addon.region = region
  if region ~= own and not knows_realm then
    addon.say(("the database Stint_%s has no player of your realm %s"):format(region, addon.own_realm()))
  end
  say_if_old(region)
end

-- A player of this region, or nil if there is no such player or no database.
function addon.find(name, server)
  return addon.region and Stint.lookup(addon.region, server, name)
end
