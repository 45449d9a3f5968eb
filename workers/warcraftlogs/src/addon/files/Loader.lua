-- Loads the database of the region at login, and no other: each is an addon of its own, loaded on demand.

local _, addon = ...

-- As GetCurrentRegion numbers them; GetCurrentRegionName is not in every client.
local REGIONS = { "US", "KR", "EU", "TW", "CN" }

local said = {}

-- A line in the chat, the same one once only.
function addon.say(text)
  if not said[text] then
    said[text] = true
    print(addon.coloured("Stint", addon.GOLD) .. ": " .. text)
  end
end

-- The client's region, or nil where it is none of the five: on a test realm.
local function current_region()
  local number = GetCurrentRegion and GetCurrentRegion()
  local name = GetCurrentRegionName and GetCurrentRegionName()
  return REGIONS[number] or (name ~= "" and name) or nil
end

local function load_addon(name)
  local load = C_AddOns and C_AddOns.LoadAddOn or LoadAddOn
  return load(name)
end

-- What stands in the table of contents of the region's addon.
function addon.metadata(field)
  local metadata = C_AddOns and C_AddOns.GetAddOnMetadata or GetAddOnMetadata
  return addon.region and metadata and metadata("Stint_" .. addon.region, field)
end

local function why_not_loaded(name, reason)
  if reason == "MISSING" then
    return "there is no database for your region: install the addon " .. name
  end
  if reason == "DISABLED" then
    return "the database for your region is switched off: enable the addon " .. name
  end
  -- The client's own words for the reason.
  return "the addon " .. name .. " could not be loaded: " .. (_G["ADDON_" .. tostring(reason)] or tostring(reason))
end

-- Loads the database and tries it. Says what is wrong, if anything is.
function addon.load()
  local region = current_region()
  if not region then
    addon.say("the region of this client is unknown, so no database is loaded")
    return
  end
  local name = "Stint_" .. region
  if not StintDatabases[region] then
    local loaded, reason = load_addon(name)
    if not loaded then
      addon.say(why_not_loaded(name, reason))
      return
    end
  end
  -- The reader refuses a database of another format, whomever one looks for.
  local fine, problem = pcall(Stint.lookup, region, "-", "Stint")
  if fine then
    addon.region = region
  else
    addon.say(tostring(problem))
  end
end

-- A player of this region, or nil: nobody of that name, or no database.
function addon.find(name, server)
  return addon.region and Stint.lookup(addon.region, server, name)
end
