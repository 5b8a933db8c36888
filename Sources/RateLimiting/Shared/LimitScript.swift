// SPDX-License-Identifier: Apache-2.0

internal import Redis

/// What runs inside Redis: looks at the use of every policy, and counts with each or with none.
///
/// Keys are hashes with a field for each policy. A window is kept in the bytes of ``SlidingWindow/State``: the number of its
/// newest slot, the sum, the places of the oldest counter in use and of the newest, and the counters as a ring. A bucket is kept
/// as the microsecond at which it was looked at and the nanoseconds until it would be full from there. The first argument is
/// packed by ``LimitQuestion``; the further ones name the fields. Times are microseconds, for the nanoseconds of an epoch are
/// more than a number of Lua holds.
enum LimitScript {
    static let shared = RedisScript(prelude + window + bucket + decide)

    private static let prelude = #"""
        local unpack, pack, byte, sub, rep = struct.unpack, struct.pack, string.byte, string.sub, string.rep
        local floor, max, min = math.floor, math.max, math.min
        local now, mode, divisor, ttl, horizon = unpack('<i8BBi8I4', ARGV[1])
        if now == 0 then
            local time = redis.call('TIME')
            now = time[1] * 1000000 + time[2]
        end

        """#

    private static let window = #"""
        local function counter(counters, place, before)
            local at = before + place * 4
            local a, b, c, d = byte(counters, at + 1, at + 4)
            return a + b * 256 + c * 65536 + d * 16777216
        end

        local function spliced(counters, from, bytes)
            return sub(counters, 1, from) .. bytes .. sub(counters, from + #bytes + 1)
        end

        local function with(counters, place, units)
            return spliced(counters, place * 4, pack('<I4', units))
        end

        local function cleared(counters, place, count, ring)
            local here = min(count, ring - place)
            counters = spliced(counters, place * 4, rep('\0', here * 4))
            if count > here then counters = spliced(counters, 0, rep('\0', (count - here) * 4)) end
            return counters
        end

        local function oldest(p, age)
            while age > 0 and counter(p.counters, (p.newest - age) % p.ring, p.before) == 0 do age = age - 1 end
            return (p.newest - age) % p.ring
        end

        local function giveBack(p)
            local age = p.slot - p.backSlot
            if p.back == 0 or age < 0 or age >= p.ring then return end
            local place = (p.newest - age) % p.ring
            p.counters, p.before = sub(p.counters, p.before + 1), 0
            local held = counter(p.counters, place, 0)
            local given = min(held, p.back)
            p.total, p.counters = p.total - given, with(p.counters, place, held - given)
            if given == held and place == p.oldest then p.oldest = oldest(p, (p.newest - p.oldest) % p.ring) end
        end

        local function readWindow(p, state)
            local slot = floor(now / p.pace)
            p.slot = slot
            if state then
                local last, total, first, newest = unpack('<i8I4HH', state)
                local passed = slot - last
                p.newest = newest
                if passed <= 0 then
                    -- As it came, because each string that is made costs as much as all the arithmetic.
                    p.slot, p.total, p.oldest, p.counters, p.before = last, total, first, state, 16
                elseif total > 0 and passed < p.ring then
                    local counters = sub(state, 17)
                    for step = 1, passed do
                        total = total - counter(counters, (newest + step) % p.ring, 0)
                    end
                    p.total = total
                    p.counters = cleared(counters, (newest + 1) % p.ring, passed, p.ring)
                    p.newest = (newest + passed) % p.ring
                    local age = (newest - first) % p.ring + passed
                    p.oldest = age < p.ring and first or oldest(p, p.ring - 1)
                end
            end
            p.counters = p.counters or rep('\0', p.ring * 4)
            giveBack(p)
            p.room = p.most - p.total - p.cost
        end

        local function head(p) return pack('<i8I4HH', p.slot, p.total, p.oldest, p.newest) end

        local function chargeWindow(p, granted)
            local units = p.cost + granted
            local counters, before = p.counters, p.before
            if units == 0 then return head(p) .. sub(counters, before + 1) end
            if p.total == 0 then p.oldest = p.newest end
            local held, at = counter(counters, p.newest, before), before + p.newest * 4
            units = min(units, 4294967295 - held, 4000000000 - p.total)
            p.total = p.total + units
            return head(p) .. sub(counters, before + 1, at) .. pack('<I4', held + units) .. sub(counters, at + 5)
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
                oldest = 0, newest = 0, counters = false, before = 0
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
            reply[i + 2] = pack('<BI4', has and 1 or 0, granted) .. state
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
