-- Percentiles in the colours of the site: the classes artifact, astounding, legendary, epic, rare, uncommon and common
-- of its style sheet, by whole percents rounded down.

local _, addon = ...

local STEPS = {
  { 100, "ffe5cc80" },
  { 99, "ffe268a8" },
  { 95, "ffff8000" },
  { 75, "ffa335ee" },
  { 50, "ff0070ff" },
  { 25, "ff1eff00" },
  { 0, "ff666666" },
}

addon.GOLD = "ffe5cc80"
addon.GREY = "ff9d9d9d"

-- A text in a colour given as alpha, red, green and blue, in the game's own markup.
function addon.coloured(text, colour)
  return "|c" .. colour .. text .. "|r"
end

-- A number with one decimal, or none if it is whole.
function addon.number(value)
  return (value % 1 == 0 and "%d" or "%.1f"):format(value)
end

-- A percentile in its colour, such as 95.3 in orange; a dash if there is none.
function addon.percentile(value)
  if not value then
    return addon.coloured("-", addon.GREY)
  end
  for _, step in ipairs(STEPS) do
    if value >= step[1] then
      return addon.coloured(addon.number(value), step[2])
    end
  end
end
