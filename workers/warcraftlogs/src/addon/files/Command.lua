-- The command /stint.

local _, addon = ...

local HELP = {
  "/stint                  your target's ranks",
  "/stint Name             the ranks of a player of your realm",
  "/stint Name-Realm       the ranks of a player of another realm",
  "/stint help             this text",
}

local function help()
  for _, line in ipairs(HELP) do
    print(line)
  end
  if addon.region then
    local updated_at, version = addon.metadata("X-Updated-At"), addon.metadata("Version")
    print(("Database: %s of %s, version %s"):format(addon.region, updated_at or "?", version or "?"))
  else
    print("Database: none is loaded")
  end
end

-- The game's names begin with a capital letter, which users do not type. Letters beyond ASCII stay unchanged.
local function capitalised(name)
  return name:sub(1, 1):upper() .. name:sub(2)
end

local function report(name, realm)
  local found = addon.find(name, realm)
  if not found then
    name = capitalised(name)
    found = addon.find(name, realm)
  end
  if not found then
    print(("Stint: nothing is known of %s of %s"):format(name, realm))
    return
  end
  print(("%s of %s"):format(name, realm))
  for _, line in ipairs(addon.lines(found, true)) do
    print(line[2] == "" and line[1] or line[1] .. ": " .. line[2])
  end
end

local function run(text)
  local wanted = text:match("^%s*(.-)%s*$")
  local name, realm = wanted:match("^([^%-]*[^%-%s])%s*%-%s*(.+)$")
  if wanted == "" then
    name, realm = addon.player_of("target")
  elseif wanted ~= "help" then
    name, realm = name or wanted, realm or addon.own_realm()
  end
  if not name then
    help()
  elseif not addon.region then
    print("Stint: no database is loaded")
  else
    report(name, realm)
  end
end

function addon.add_command()
  SLASH_STINT1 = "/stint"
  SlashCmdList.STINT = run
end
