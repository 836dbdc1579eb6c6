-- Says that a node is there, and answers who is. The memory is a number that is gone when Redis has
-- forgotten what it knew; a node is settled in it when it has told what it let through before.
--
-- KEYS: the nodes: by name, "time of the last beat in ms, memory that it is settled in"; and the memory.
-- ARGV: name, memory that it is settled in or '', a number for a new memory, how long a silent node is there
-- in ms. Answers the memory, then the name of each node and the memory that it is settled in.
redis.call('HSETNX', KEYS[1], 'memory', ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], 'node ' .. ARGV[1], string.format('%.0f', now) .. ' ' .. ARGV[2])
local answer = { redis.call('HGET', KEYS[1], 'memory') }
local known = redis.call('HGETALL', KEYS[1])
for at = 1, #known, 2 do
    local name = known[at]:match('^node (.+)$')
    if name then
        local beat, settled = known[at + 1]:match('^(%d+) (.*)$')
        if now - tonumber(beat) > tonumber(ARGV[4]) then
            redis.call('HDEL', KEYS[1], known[at])
        else
            answer[#answer + 1] = name
            answer[#answer + 1] = settled
        end
    end
end
return answer
