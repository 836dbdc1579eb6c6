-- Takes back the spent use that came about at a time, exactly as `Allowance::restore` of the domain does.
--
-- KEYS: as for taking one. ARGV: now in ms or '' for this server's clock, how long ago it was spent in ms,
-- how long a use counts in ms.
local time = redis.call('TIME')
local now = tonumber(ARGV[1]) or time[1] * 1000 + math.floor(time[2] / 1000)
local about = now - tonumber(ARGV[2]) + tonumber(ARGV[3])
local nearest, distance
local uses = redis.call('HGETALL', KEYS[1])
for at = 1, #uses, 2 do
    local spent, ends = uses[at + 1]:match('%d+:(%d):(%d+)')
    local from = math.abs(tonumber(ends) - about)
    if spent == '1' and now < tonumber(ends) and (not distance or from < distance) then
        nearest, distance = uses[at], from
    end
end
if nearest then
    redis.call('HDEL', KEYS[1], nearest)
end
return 'ok'
