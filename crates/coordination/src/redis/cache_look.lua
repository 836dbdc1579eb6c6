-- Looks for an answer; whoever finds none, or an old one that nobody loads anew, is to load it.
--
-- KEYS: the answer, who loads it. ARGV: now in ms, a number for loading, how long that lasts in ms.
-- Answers ('found', answer), ('load') or ('wait').
local known = redis.call('HMGET', KEYS[1], 'fresh_until', 'stale_until', 'value')
local now = tonumber(ARGV[1])
if known[1] and now < tonumber(known[1]) then
    return { 'found', known[3] }
end
if redis.call('SET', KEYS[2], ARGV[2], 'NX', 'PX', ARGV[3]) then
    return { 'load' }
end
if known[2] and now < tonumber(known[2]) then
    return { 'found', known[3] }
end
return { 'wait' }
