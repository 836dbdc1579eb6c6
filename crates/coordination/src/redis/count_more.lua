-- Adds requests that a node let through while Redis was away to the count of their key.
--
-- KEYS: the count. ARGV: now in ms or '' for this server's clock, window in ms, how many, how long ago the
-- node's window began in ms.
local time = redis.call('TIME')
local now = tonumber(ARGV[1]) or time[1] * 1000 + math.floor(time[2] / 1000)
local window, more, began_there = tonumber(ARGV[2]), tonumber(ARGV[3]), now - tonumber(ARGV[4])
local known = redis.call('HMGET', KEYS[1], 'began', 'used', 'blocked')
local began, used = tonumber(known[1] or nil), tonumber(known[2] or 0)
if known[3] and now < tonumber(known[3]) then
    return 'blocked'
end
if began and now < began and began - now < window then
    now = began
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
