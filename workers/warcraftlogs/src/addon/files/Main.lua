-- Starts the addon at login. Outside the game there is nothing to start: then the addon consists of Stint.lookup alone.

local _, addon = ...

if not CreateFrame then
  return
end

local frame = CreateFrame("Frame")
frame:RegisterEvent("PLAYER_LOGIN")
frame:SetScript("OnEvent", function(_, event)
  if event == "PLAYER_LOGIN" then
    addon.load()
    addon.hook_tooltip()
    addon.add_command()
    frame:RegisterEvent("MODIFIER_STATE_CHANGED")
  else
    addon.refresh_tooltip()
  end
end)
