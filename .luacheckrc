-- The addon, the reader, and the stand-in of the game that tests them. Databases are data, and generated.

std = "lua51"
max_line_length = 120
include_files = { "workers/warcraftlogs/**/*.lua" }
exclude_files = { "**/Stint_*.lua", "workers/warcraftlogs/src/lua/reader/*.lua" }

-- What the game has and plain Lua has not, by the addon's own word: anything else is a typing error.
local game = {
  "ADDON_INTERFACE_VERSION",
  "C_AddOns", "GetAddOnInfo", "GetAddOnMetadata", "GetNumAddOns", "LoadAddOn",
  "CreateFrame", "GameTooltip", "TooltipDataProcessor", "Enum", "SlashCmdList",
  "EncounterJournal", "EJ_GetCurrentTier", "EJ_GetEncounterInfoByIndex", "EJ_GetInstanceByIndex", "EJ_GetNumTiers",
  "EJ_SelectTier",
  "GetCurrentRegion", "GetCurrentRegionName", "GetNormalizedRealmName", "GetRealmName",
  "IsShiftKeyDown", "UnitIsPlayer", "UnitName", "date", "issecretvalue", "time",
}

-- The files of the reader are one in an addon, and `scripts/test` has them checked as one.
-- Upvalues that become locals are read faster.
files["workers/warcraftlogs/src/lua/reader.lua"] = { ignore = { "431" }, globals = { "Stint", "StintDatabases" } }
files["workers/warcraftlogs/benches/lua/sorted_strings.lua"] = { globals = { "DB" } }
files["workers/warcraftlogs/benches/lua/measure.lua"] = { read_globals = { "Stint", "StintDatabases" } }
files["workers/warcraftlogs/src/addon/files/*.lua"] = {
  read_globals = { "Stint", "StintDatabases", unpack(game) },
}
files["workers/warcraftlogs/src/addon/files/Command.lua"] = { globals = { "SLASH_STINT1", "SlashCmdList" } }
files["workers/warcraftlogs/benches/**/*.lua"] = { read_globals = { "Stint", "StintDatabases" } }
files["workers/warcraftlogs/tests/it/lua/*.lua"] = { read_globals = { "Stint", "StintDatabases" } }
files["workers/warcraftlogs/tests/it/addon/game.lua"] = { globals = { "game", "print", "_G", unpack(game) } }
