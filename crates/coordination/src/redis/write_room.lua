-- Brings the copy of a room from one version to the next, if the caller still runs the room.
--
-- KEYS: runner, version, turns, taken, given up, then the pages of accounts that are written to.
-- ARGV: token, fenced (1 or 0), the version before ('' if incomplete), the version after ('' if still
-- incomplete), lease in ms, lifetime of the copy in s, number of turns, number of bits, number of numbers
-- given up, number of accounts; then (place, turn or '') for each turn, (place, bit) for each bit, each
-- number given up, (page, offset, bytes) for each account.
if ARGV[2] == '1' then
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then
        return 'lost'
    end
    if (redis.call('GET', KEYS[2]) or '') ~= ARGV[3] then
        return 'stale'
    end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[5])
local at = 11
for _ = 1, tonumber(ARGV[7]) do
    if ARGV[at + 1] == '' then
        redis.call('HDEL', KEYS[3], ARGV[at])
    else
        redis.call('HSET', KEYS[3], ARGV[at], ARGV[at + 1])
    end
    at = at + 2
end
for _ = 1, tonumber(ARGV[8]) do
    redis.call('SETBIT', KEYS[4], ARGV[at], ARGV[at + 1])
    at = at + 2
end
for _ = 1, tonumber(ARGV[9]) do
    redis.call('SETBIT', KEYS[5], ARGV[at], 1)
    at = at + 1
end
for _ = 1, tonumber(ARGV[10]) do
    redis.call('SETRANGE', KEYS[5 + ARGV[at]], ARGV[at + 1], ARGV[at + 2])
    at = at + 3
end
if ARGV[4] ~= '' then
    redis.call('SET', KEYS[2], ARGV[4])
end
for key = 2, #KEYS do
    redis.call('EXPIRE', KEYS[key], ARGV[6])
end
return 'ok'
