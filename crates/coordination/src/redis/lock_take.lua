-- Takes a lock that nobody holds. Answers its fence, which rises with every holder also when Redis has
-- forgotten the last one, or else how long the holder has it for, in ms.
--
-- KEYS: the lock, the last fence. ARGV: token, lease in ms, how long the fence is kept in ms.
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
    return { '', redis.call('PTTL', KEYS[1]) }
end
local time = redis.call('TIME')
local last = tonumber(redis.call('GET', KEYS[2]) or '0')
local fence = string.format('%.0f', math.max(last + 1, time[1] * 1000000 + time[2]))
redis.call('SET', KEYS[2], fence, 'PX', ARGV[3])
return { fence, 0 }
