// SPDX-License-Identifier: Apache-2.0

internal import Redis

/// What runs inside Redis: looks at the use of every policy, and counts with each or with none.
///
/// Keys are hashes with a field for each policy. A window is kept as the number of its newest slot, the sum, and for each slot in
/// which something was counted, the oldest first, the last 16 bits of its number and how much: mostly a few bytes, because each
/// string that is made in Lua costs as much as all the arithmetic. A bucket is kept as the microsecond at which it was looked at
/// and the nanoseconds until it would be full from there. The first argument is packed by ``LimitQuestion``; the further ones name
/// the fields. Times are microseconds, for the nanoseconds of an epoch are more than a number of Lua holds.
enum LimitScript {
    static let shared = RedisScript(prelude + giveBack + window + bucket + decide)

    private static let prelude = #"""
        local unpack, pack, sub = struct.unpack, struct.pack, string.sub
        local floor, max, min = math.floor, math.max, math.min
        local now, mode, divisor, ttl, horizon = unpack('<i8BBi8I4', ARGV[1])
        if now == 0 then
            local time = redis.call('TIME')
            now = time[1] * 1000000 + time[2]
        end

        """#

    private static let window = #"""
        local function readWindow(p, state)
            local slot = floor(now / p.pace)
            if state then
                local last, total = unpack('<i8I4', state)
                -- A clock that is behind counts as the newest slot.
                slot = max(slot, last)
                local from, size, ended = 13, #state, slot - p.ring
                while from <= size do
                    local low, units = unpack('<HI4', state, from)
                    if last - (last - low) % 65536 > ended then break end
                    total, from = total - units, from + 6
                end
                p.total, p.from, p.state = total, from, state
            end
            p.slot = slot
            if p.back > 0 then giveBack(p) end
            p.room = p.most - p.total - p.cost
        end

        local function chargeWindow(p, granted)
            local units, state, last = p.cost + granted, p.state, #p.state
            if units == 0 then return pack('<i8I4', p.slot, p.total) .. sub(state, p.from) end
            local low, held = p.slot % 65536, 0
            if last > p.from then
                local newest, count = unpack('<HI4', state, last - 5)
                if newest == low then held, last = count, last - 6 end
            end
            units = min(units, 4294967295 - held, 4000000000 - p.total)
            p.total = p.total + units
            return pack('<i8I4', p.slot, p.total) .. sub(state, p.from, last) .. pack('<HI4', low, held + units)
        end

        """#

    private static let giveBack = #"""
        local function giveBack(p)
            local from, low = p.from, p.backSlot % 65536
            if p.backSlot <= p.slot - p.ring or p.backSlot > p.slot then return end
            while from < #p.state do
                local slot, units = unpack('<HI4', p.state, from)
                if slot == low then
                    local given = min(units, p.back)
                    p.total = p.total - given
                    p.state = sub(p.state, 1, from - 1) .. pack('<HI4', low, units - given) .. sub(p.state, from + 6)
                    return
                end
                from = from + 6
            end
        end

        """#

    private static let bucket = #"""
        -- What is used of a bucket is the nanoseconds until it would be full.
        local function readBucket(p, state)
            local ahead = 0
            p.slot = now
            if state then
                local last, left = unpack('<i8i8', state)
                -- A clock that is behind must not make the same time pass twice.
                p.slot = max(now, last)
                ahead = max(0, left - (p.slot - last) * 1000)
            end
            p.total = max(0, ahead - p.back * p.pace)
            p.room = floor((p.most - p.total) / p.pace) - p.cost
        end

        local function chargeBucket(p, granted)
            p.total = min(p.total + (p.cost + granted) * p.pace, ttl * 1000000)
            return pack('<i8i8', p.slot, p.total)
        end

        """#

    /// Mode 0 decides and counts, 1 only looks, 2 counts whatever is asked. A lease is at most one part in `divisor` of what is
    /// left, and no more than the rest of a window's slot needs.
    private static let decide = #"""
        local count, fits = #ARGV - 1, true
        local policies, reply = {}, {1, now}
        local states = #KEYS == 1 and redis.call('HMGET', KEYS[1], _G.unpack(ARGV, 2))
        for i = 1, count do
            local key, kind, ring, most, pace, cost, want, back, backSlot =
                unpack('<BBHi8i8I4I4I4i8', ARGV[1], i * 40 - 17)
            -- Whole from the start, because a table that grows is made again and again.
            local p = {
                key = key, isBucket = kind % 128 == 0, isShadow = kind >= 128, ring = ring, most = most, pace = pace,
                cost = cost, want = want, back = back, backSlot = backSlot, room = 0, slot = 0, total = 0,
                from = 1, state = ''
            }
            local state = states and states[i] or not states and redis.call('HGET', KEYS[key], ARGV[i + 1])
            if p.isBucket then readBucket(p, state) else readWindow(p, state) end
            if p.room < 0 and not p.isShadow and mode ~= 2 then fits = false end
            policies[i] = p
        end

        local writes = {}
        for i = 1, count do
            local p, granted = policies[i], 0
            local has = p.room >= 0
            local isCharged = mode == 2 or (mode == 0 and fits and has)
            if not isCharged then
                p.cost = 0
            elseif p.want > 0 then
                local share = p.isBucket and 1 or min(1, (p.pace - now % p.pace) / horizon)
                granted = max(0, min(floor(p.want * share), floor(p.room / divisor)))
            end
            local state = p.isBucket and chargeBucket(p, granted) or chargeWindow(p, granted)
            reply[i * 2 + 1], reply[i * 2 + 2] = granted * 2 + (has and 1 or 0), state
            if mode ~= 1 and (isCharged or p.back > 0) then
                local list = writes[p.key]
                if not list then
                    list = {}
                    writes[p.key] = list
                end
                list[#list + 1], list[#list + 2] = ARGV[i + 1], state
            end
        end
        for key, list in pairs(writes) do
            redis.call('HSET', KEYS[key], _G.unpack(list))
            redis.call('PEXPIRE', KEYS[key], ttl)
        end
        if not fits then reply[1] = 0 end
        return reply
        """#

    /// Tells Redis that this process is there, and learns how many are and whether Redis still is the one it was.
    static let beat = RedisScript(
        #"""
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        redis.call('SET', KEYS[1], ARGV[2], 'NX')
        redis.call('ZADD', KEYS[2], now, ARGV[1])
        redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - tonumber(ARGV[3]))
        redis.call('PEXPIRE', KEYS[2], 60000)
        return {redis.call('GET', KEYS[1]), redis.call('ZCARD', KEYS[2])}
        """#)
}
