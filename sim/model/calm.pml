/* Property 5: faults stop, and each card is presented again until nothing more happens.
 * Then no record is open, and the terminal says of each attempt how it ended.
 */
#define IS_OPEN_WITH(n, purse) (record[n] == OPEN && PURSE_OF(n) == (purse))

#ifdef PROPERTY_5
active proctype Calm() {
end:
    do
    :: d_step { !calm -> calm = 1; story("                from here on nothing goes wrong") }
    :: d_step { calm && doing == IDLE && !ANY_RECORD(IS_OPEN_WITH, reader) &&
            ANY_RECORD(IS_OPEN_WITH, 1 - reader) ->
        purse_loses_power(); reader = 1 - reader; runs = runs + 1;
        story1("purse           in the reader: purse %d", 1 + reader); step_ends() }
    :: atomic { timeout ->
        if
        :: !(EVERY_RECORD(IS_SETTLED, 0) && EVERY_ATTEMPT(IS_TOLD, 0)) -> assert(5 == 0)
        :: else
        fi;
        if
        :: runs > 0 -> WITNESS(SETTLED)
        :: else
        fi;
        break }
    od
}
#endif
