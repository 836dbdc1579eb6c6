-- Takes back a request that was counted, exactly as `Count::give_back` of the domain does.
--
-- KEYS: the count. Answers how many are counted.
local known = redis.call('HMGET', KEYS[1], 'used', 'blocked')
local used = tonumber(known[1] or 0)
if used > 0 and not known[2] then
    return redis.call('HINCRBY', KEYS[1], 'used', -1)
end
return used
