-- Lists blocks, those that end last first. KEYS: the blocks by when they end. ARGV: now in ms or '' for this
-- server's clock, how many at most. Answers now, then each block with when it ends.
local time = redis.call('TIME')
local now = tonumber(ARGV[1]) or time[1] * 1000 + math.floor(time[2] / 1000)
local after = '(' .. string.format('%.0f', now)
return { now, redis.call('ZRANGE', KEYS[1], '+inf', after, 'BYSCORE', 'REV', 'LIMIT', 0, ARGV[2], 'WITHSCORES') }
