/* A customs fee paid by card: purses, customs card, terminal and bank, with the wire and
 * the world as adversary. See docs/model.md; `python -m sim.model` runs it.
 */
#include "world.pml"
#include "properties.pml"
#include "purse.pml"
#include "customs.pml"
#include "bank.pml"
#include "wire.pml"
#include "terminal.pml"
#include "settling.pml"
#include "calm.pml"
