-- Adds requests that a node let through while Redis was away to the count of their key.
--
-- KEYS: the count. ARGV: now in ms, window in ms, how many, when the node's window began in ms.
local now, window, more, began_there = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local known = redis.call('HMGET', KEYS[1], 'began', 'used', 'blocked')
local began, used = tonumber(known[1] or nil), tonumber(known[2] or 0)
if known[3] and now < tonumber(known[3]) then
    return 'blocked'
end
if not began or now < began or now - began >= window then
    began, used = began_there, 0
    redis.call('DEL', KEYS[1])
end
if now - began >= window then
    return 'over'
end
redis.call('HSET', KEYS[1], 'began', string.format('%.0f', began), 'used', string.format('%.0f', used + more))
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.max(began + window - now, 1)))
return 'ok'
