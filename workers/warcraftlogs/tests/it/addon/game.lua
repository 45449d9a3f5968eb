-- A small stand-in for the game's client: it loads the addons of a folder by their tables of contents, gives them the
-- functions of the game that they may use, and plays a scenario:
--
--   lua5.1 game.lua FOLDER SCENARIO
--
-- Everything that a player would see is printed: the lines of the chat, and the lines of the tooltip when it is shown.

local folder, scenario = ...

local read_lines, open, run_file, write, time_of = io.lines, io.open, loadfile, io.write, os.time

-- Every addon that a folder may have, in the order of the client's list.
local ADDONS = { "Stint", "Stint_CN", "Stint_EU", "Stint_KR", "Stint_TW", "Stint_US" }

-- The scenario sets these before game.start(), and may change them later.
game = {
  region = 3,
  realm = "TarrenMill",
  interface = "120000",
  modern = true,
  disabled = {},
  now = { year = 2026, month = 11, day = 21 },
  shift = false,
  units = {},
}

local frames, post_calls, hooks, loaded = {}, {}, {}, {}

local function show(...)
  local parts = { ... }
  for index = 1, select("#", ...) do
    parts[index] = tostring(parts[index])
  end
  write(table.concat(parts, " "), "\n")
end

-- Addons ------------------------------------------------------------------------------------------

local function toc_of(name)
  local path = folder .. "/" .. name .. "/" .. name .. ".toc"
  local file = open(path)
  if not file then
    return nil
  end
  file:close()
  local toc = { fields = {}, files = {} }
  for line in read_lines(path) do
    local field, value = line:match("^## ([%w-]+): (.*)$")
    if field then
      toc.fields[field] = value
    elseif line ~= "" then
      toc.files[#toc.files + 1] = line
    end
  end
  return toc
end

-- The reason why an addon cannot be loaded, or nil.
local function obstacle(name)
  local toc = toc_of(name)
  if not toc then
    return "MISSING"
  elseif game.disabled[name] then
    return "DISABLED"
  elseif not (", " .. toc.fields.Interface .. ","):find(", " .. game.interface .. ",", 1, true) then
    return "INTERFACE_VERSION"
  elseif toc.fields.Dependencies and not loaded[toc.fields.Dependencies] then
    return "DEP_MISSING"
  end
end

local function load_addon(name)
  local reason, toc = obstacle(name), toc_of(name)
  if reason then
    return nil, reason
  end
  if not loaded[name] then
    loaded[name] = toc
    local shared = {}
    for _, file in ipairs(toc.files) do
      local chunk, problem = run_file(folder .. "/" .. name .. "/" .. file)
      -- After an error, a client continues with the next file, and says that the addon was loaded.
      assert(chunk or name ~= "Stint", problem)
      if chunk then
        chunk(name, shared)
      end
    end
  end
  return true
end

local function installed()
  local names = {}
  for _, name in ipairs(ADDONS) do
    names[#names + 1] = toc_of(name) and name
  end
  return names
end

local function count_addons() return #installed() end

local function addon_info(index)
  local name = installed()[index]
  local reason = obstacle(name) or (toc_of(name).fields.LoadOnDemand == "1" and "DEMAND_LOADED") or nil
  return name, name, "", reason == nil or reason == "DEMAND_LOADED", reason
end

local function metadata(name, field)
  local toc = toc_of(name)
  return toc and toc.fields[field]
end

function game.loaded(name)
  return loaded[name] ~= nil
end

-- Frames and the tooltip --------------------------------------------------------------------------

local function create_frame()
  local frame = { events = {} }
  function frame:RegisterEvent(event) self.events[event] = true end
  function frame:SetScript(script, handler)
    assert(script == "OnEvent")
    self.handler = handler
  end
  frames[#frames + 1] = frame
  return frame
end

function game.fire(event, ...)
  for _, frame in ipairs(frames) do
    if frame.events[event] then
      frame.handler(frame, event, ...)
    end
  end
end

local tooltip = { lines = {}, shown = false, forbidden = false }
game.tooltip = tooltip

function tooltip:IsForbidden() return self.forbidden end
function tooltip:IsShown() return self.shown end
function tooltip:GetUnit() return self.name, self.unit end
function tooltip:Show() self.shown = true end
function tooltip:AddLine(text) self.lines[#self.lines + 1] = assert(text) end
function tooltip:AddDoubleLine(left, right) self.lines[#self.lines + 1] = assert(left) .. " | " .. assert(right) end

function tooltip.HookScript(_, script, handler)
  -- Clients with TooltipDataProcessor no longer have such a script.
  assert(script == "OnTooltipSetUnit" and not game.modern, "there is no script " .. script)
  hooks[#hooks + 1] = handler
end

function tooltip:SetUnit(unit)
  local known = game.units[unit]
  if not known then
    return
  end
  self.lines, self.unit, self.shown = {}, unit, true
  for _, handler in ipairs(game.modern and post_calls or hooks) do
    handler(self, {})
  end
end

-- Moves the mouse over a player and prints the tooltip.
function game.hover(name, realm)
  game.units.mouseover = { name = name, realm = realm, is_player = true }
  tooltip:SetUnit("mouseover")
  game.show_tooltip()
end

function game.show_tooltip()
  if #tooltip.lines == 0 then
    show("(an empty tooltip)")
  end
  for _, line in ipairs(tooltip.lines) do
    show(line)
  end
end

-- Types a command.
function game.type(text)
  SlashCmdList.STINT(text)
end

-- A value that 12.0 returns about units in combat: any use of it except the check whether it is secret is an error.
local function misuse() error("a secret value was used") end
game.secret = setmetatable({}, { __index = misuse, __eq = misuse, __lt = misuse, __concat = misuse, __call = misuse })

-- The game ----------------------------------------------------------------------------------------

local function give_functions()
  GameTooltip, SlashCmdList, CreateFrame, date = tooltip, {}, create_frame, os.date
  function time(moment) return time_of(moment or game.now) end
  print = show
  function GetRealmName() return (game.realm:gsub("(%l)(%u)", "%1 %2")) end
  function GetCurrentRegion() return game.region end
  function UnitName(unit)
    local known = game.units[unit]
    if known then
      return known.name, known.realm
    end
  end
  function UnitIsPlayer(unit) return game.units[unit] ~= nil and game.units[unit].is_player end
  function IsShiftKeyDown() return game.shift end
  if game.modern then
    C_AddOns = {
      GetAddOnInfo = addon_info, GetAddOnMetadata = metadata, GetNumAddOns = count_addons, LoadAddOn = load_addon,
    }
    Enum = { TooltipDataType = { Item = 0, Spell = 1, Unit = 2 } }
    TooltipDataProcessor = {
      AddTooltipPostCall = function(kind, handler)
        assert(kind == Enum.TooltipDataType.Unit)
        post_calls[#post_calls + 1] = handler
      end,
    }
    function GetNormalizedRealmName() return game.realm end
    function issecretvalue(value) return rawequal(value, game.secret) end
  else
    GetAddOnInfo, GetAddOnMetadata, GetNumAddOns, LoadAddOn = addon_info, metadata, count_addons, load_addon
  end
end

-- Removes what the interpreter has and the game has not.
local function take_functions()
  for _, name in ipairs({ "io", "os", "dofile", "loadfile", "require", "module", "package", "debug" }) do
    _G[name] = nil
  end
end

-- The character logs in: addons that are not loaded on demand are already loaded.
function game.start()
  give_functions()
  take_functions()
  assert(load_addon("Stint"))
  game.fire("PLAYER_LOGIN")
end

assert(run_file(scenario))()
