-- Settles a use of an allowance, exactly as `Allowance::spend` and `Allowance::give_back` of the domain do.
--
-- KEYS: as for taking one. ARGV: now in ms or '' for this server's clock, token, 1 if it is spent, how long
-- it counts then in ms, the most uses that are kept, longest lifetime in ms.
local time = redis.call('TIME')
local now = tonumber(ARGV[1]) or time[1] * 1000 + math.floor(time[2] / 1000)
local token, spend = ARGV[2], ARGV[3] == '1'
local spent_until = string.format('%.0f', now + ARGV[4])
local known = redis.call('HGET', KEYS[1], token)
local unsettled, spent, ends
if known then
    unsettled, spent, ends = known:match('(%d+):(%d):(%d+)')
    if spend and now >= tonumber(ends) then
        known = false
    end
end
if known then
    unsettled = math.max(unsettled - 1, 0)
    if spend and spent == '0' then
        spent, ends = '1', spent_until
    end
    if not spend and unsettled == 0 and spent == '0' then
        redis.call('HDEL', KEYS[1], token)
        return 'ok'
    end
elseif spend and redis.call('HLEN', KEYS[1]) < tonumber(ARGV[5]) then
    unsettled, spent, ends = 0, '1', spent_until
else
    return 'ok'
end
redis.call('HSET', KEYS[1], token, string.format('%.0f', unsettled) .. ':' .. spent .. ':' .. ends)
redis.call('PEXPIRE', KEYS[1], ARGV[6])
return 'ok'
