-- Takes a use of an allowance, exactly as `Allowance::take` of the domain does.
--
-- KEYS: the uses: by token, "unsettled:spent:until". ARGV: now in ms or '' for this server's clock, token,
-- requests, how long it counts unsettled in ms, longest lifetime in ms. Answers (now, 1, how many are left,
-- when there is more) or (now, 0, until when).
local time = redis.call('TIME')
local now = tonumber(ARGV[1]) or time[1] * 1000 + math.floor(time[2] / 1000)
local token, requests = ARGV[2], tonumber(ARGV[3])
local until_unsettled = string.format('%.0f', now + ARGV[4])
local count, earliest = 0, nil
local mine
local uses = redis.call('HGETALL', KEYS[1])
for at = 1, #uses, 2 do
    local unsettled, spent, ends = uses[at + 1]:match('(%d+):(%d):(%d+)')
    if now >= tonumber(ends) then
        redis.call('HDEL', KEYS[1], uses[at])
    else
        count = count + 1
        if uses[at] == token then
            if spent == '0' then
                ends = until_unsettled
            end
            mine = (unsettled + 1) .. ':' .. spent .. ':' .. ends
        end
        earliest = math.min(earliest or tonumber(ends), tonumber(ends))
    end
end
if not mine then
    if count >= requests then
        return { now, 0, earliest }
    end
    mine = '1:0:' .. until_unsettled
    count = count + 1
    earliest = math.min(earliest or tonumber(until_unsettled), tonumber(until_unsettled))
end
redis.call('HSET', KEYS[1], token, mine)
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return { now, 1, math.max(requests - count, 0), earliest }
