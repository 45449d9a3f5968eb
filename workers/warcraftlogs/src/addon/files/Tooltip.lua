-- Shows ranks in the tooltip of a player.

local _, addon = ...

-- Since 12.0, what a client says about units may be secret in combat: such a value must not even be compared.
local function is_secret(...)
  if issecretvalue then
    for index = 1, select("#", ...) do
      if issecretvalue((select(index, ...))) then
        return true
      end
    end
  end
  return false
end

-- The realm is nil for a character of the player's own realm.
function addon.own_realm()
  return GetNormalizedRealmName and GetNormalizedRealmName() or GetRealmName()
end

-- Name and realm of a unit that is a player, or nil.
function addon.player_of(unit)
  if is_secret(unit) or not unit then
    return nil
  end
  local is_player = UnitIsPlayer(unit)
  if is_secret(is_player) or not is_player then
    return nil
  end
  local name, realm = UnitName(unit)
  if is_secret(name, realm) or not name then
    return nil
  end
  if not realm or realm == "" then
    realm = addon.own_realm()
  end
  return name, realm
end

local function show(tooltip)
  if tooltip ~= GameTooltip or tooltip:IsForbidden() then
    return
  end
  local _, unit = tooltip:GetUnit()
  local name, realm = addon.player_of(unit)
  local found = name and addon.find(name, realm)
  if not found then
    return
  end
  for _, line in ipairs(addon.lines(found, IsShiftKeyDown())) do
    if line[2] == "" then
      tooltip:AddLine(line[1], 1, 1, 1)
    else
      tooltip:AddDoubleLine(line[1], line[2], 1, 1, 1, 1, 1, 1)
    end
  end
  tooltip:Show()
end

-- An error window must not appear over a tooltip in the middle of a fight: the error is printed in the chat, once.
local function show_safely(tooltip)
  local fine, problem = pcall(show, tooltip)
  if not fine then
    addon.say("the tooltip failed: " .. tostring(problem))
  end
end

-- Draws the tooltip again when Shift goes down or up.
function addon.refresh_tooltip()
  if not GameTooltip:IsForbidden() and GameTooltip:IsShown() and addon.player_of("mouseover") then
    GameTooltip:SetUnit("mouseover")
  end
end

function addon.hook_tooltip()
  if TooltipDataProcessor and Enum and Enum.TooltipDataType then
    TooltipDataProcessor.AddTooltipPostCall(Enum.TooltipDataType.Unit, show_safely)
  else
    GameTooltip:HookScript("OnTooltipSetUnit", show_safely)
  end
end
