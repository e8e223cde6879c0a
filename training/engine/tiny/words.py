"""The words of the tiny models' sentences: common English, by the place that they take in a sentence."""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


DETERMINERS = _words("the the the the a my your his her our their this that every one another no some each")
ADJECTIVES = _words(
    "able angry bad beautiful big black blue brave bright broken brown busy calm careful cheap clean clear clever "
    "cold common cool curious dark dear deep different difficult distant dry early easy empty every faded fair famous "
    "fast fine first foreign free fresh friendly full funny gentle glad golden good gray great green half happy hard "
    "heavy high honest hot huge hungry important kind large last late lazy light little local lonely long loud low "
    "lucky main modern narrow natural new next nice noisy old open orange ordinary patient perfect plain pleasant "
    "poor pretty private proud public purple quick quiet rare ready real red rich right round royal sad safe second "
    "secret serious sharp short silent silver simple single slow small smooth soft special steep strange strong "
    "stubborn sudden sweet tall tame thick thin third tidy tiny tired true unusual useful usual warm weak wet white "
    "wide wild wise wonderful wooden wrong yellow young"
)
NOUNS = _words(
    "actor address age air airport animal answer apple arm artist aunt autumn baby bag bakery ball bank basket beach "
    "bear bed bee bell bench bicycle bird birthday boat body book border bottle bowl box boy branch bread breakfast "
    "bridge brother brush bucket building bus butter button cabin cake camera candle captain car card carpet castle "
    "cat ceiling center chair chance change chapter cheese cherry chicken child choir church circle city class clock "
    "cloud coast coat coffee coin color company computer cook corner country cousin cow cream crowd cup curtain curve "
    "dance danger daughter day desert desk diary dinner doctor dog door dragon drawing dream dress driver duck ear "
    "earth east edge egg elephant engine engineer evening example eye face factory family farm farmer father feather "
    "fence field film finger fire fish flag floor flower fog folder food foot forest fork fox friend fruit game "
    "garden gate ghost gift girl glass goat gold grandfather grandmother grass ground group guest guitar hair hall "
    "hammer hand harbor hat head heart hill history holiday home honey hook horizon horse hospital hotel hour house "
    "husband ice idea island jacket job journey judge juice kettle key king kitchen kite knee knife ladder lady lake "
    "lamp language leaf leg lemon lesson letter library lighthouse line lion list lunch machine magazine man map "
    "market master meal meeting member message metal milk minute mirror model moment money monkey month moon morning "
    "mother mountain mouse mouth museum music name nature neck needle neighbor nest net newspaper night noise north "
    "nose note nothing number nurse oak ocean office oil onion page painter palace paper parent park part partner "
    "party path peace pen pencil people pepper person phone piano picture piece pilot place plan plant plate pocket "
    "poem point police pond potato present price prince problem program pumpkin queen question rabbit radio rain "
    "reader reason record recording restaurant result rice ring river road rock roof room rope rose sailor salad salt "
    "sand sandwich school science sea season seat secretary sentence shadow sheep shelf shepherd ship shirt shoe shop "
    "shoulder side sign sister size skin sky smell smile snow soap soldier son song sound soup south space spoon "
    "spring square stair star station step stick stone storm story stranger street student sugar suitcase summer sun "
    "table tail task teacher team test thing thought ticket tiger time tomato tool tooth tower town toy train travel "
    "tree trip truth uncle valley vegetable village visitor voice wall watch water wave weather week west wheel wind "
    "window winter woman wood word work worker world writer yard year zoo"
)
VERBS = _words(
    "answer ask borrow bring build buy call carry catch change choose clean climb close collect count cover cross cut "
    "describe discover draw drop enjoy explain fill find finish fix follow forget give guard guess hear help hide "
    "hold join keep know learn leave lift like lose love mark measure meet miss move need notice open order paint "
    "pass pay pick plant prefer prepare promise protect pull push put reach read receive record remember repair "
    "repeat save see sell send serve share show sing smell solve start steal stop study take taste teach tell thank "
    "throw touch try turn understand use visit want wash watch wear win write"
)
PAST_VERBS = _words(
    "answered asked bought brought built called carried caught changed chose cleaned climbed closed collected counted "
    "covered crossed cut described discovered drew dropped enjoyed expected explained filled finished fixed followed "
    "forgot found gave guarded guessed heard helped hid held joined kept knew learned left lifted liked lost loved "
    "marked measured met missed moved needed noticed opened ordered painted passed picked planted played prepared "
    "promised protected pulled pushed put reached read received recorded remembered repaired repeated saved saw sent "
    "served shared showed sold solved started stole stopped studied threw told took touched tried turned understood "
    "used visited wanted washed watched wore won wrote"
)
PRESENT_VERBS = _words(
    "answers asks brings builds buys calls carries catches changes chooses cleans climbs closes counts covers crosses "
    "draws drops enjoys explains fills finds finishes fixes follows forgets gives grows hears helps hides holds joins "
    "keeps knows learns leaves likes loses loves measures meets misses moves needs notices opens orders paints passes "
    "picks plants plays prepares promises protects pulls pushes reaches reads remembers repairs repeats saves sees "
    "sells sends serves shares shows sings smells solves starts stops studies takes teaches tells throws touches "
    "tries turns understands uses visits wants washes watches wears wins writes"
)
INTRANSITIVE = _words(
    "arrived came climbed cried danced dreamed fell flew hurried jumped laughed listened lived looked played rested "
    "ran sang sat shouted slept smiled spoke stayed stood swam talked traveled waited walked whistled worked"
)
ADVERBS = _words(
    "again alone already always away badly carefully clearly early easily finally gently happily here indeed inside "
    "late loudly never nicely now often once only outside perhaps quickly quietly really sadly seldom slowly softly "
    "sometimes soon still suddenly there today together tomorrow tonight usually very well yesterday"
)
PREPOSITIONS = _words(
    "above across after against along among around at before behind below beside between beyond by for from in inside "
    "into near of off on opposite outside over past through to toward under until up with without"
)
PRONOUNS = _words("i you he she it we they everyone nobody someone somebody")
NUMBERS = _words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million"
)
DAYS = _words(
    "Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February March April May June July August "
    "September October November December"
)
NAMES = _words(
    "Adam Alice Anna Ben Carl Clara David Emma Eric Eva Frank George Grace Helen Henry Jack Jane John Julia Kate "
    "Laura Linda Lucy Maria Mark Martin Mary Nina Oliver Paul Peter Robert Rosa Sara Simon Susan Thomas Tom Victor "
    "Walter"
)
LINKS = _words("and but so because while when although if before after until")
OPENERS = (
    "please", "well", "yes", "no", "of course", "in fact", "thank you", "look", "listen", "good morning", "hello",
    "by the way", "for example", "at last", "at first", "in the morning", "in the evening", "last night", "this year",
    "after lunch", "before dinner", "once a week", "every day", "on the other hand", "to be honest",
)  # fmt: skip
QUESTIONS = (
    "who", "what", "when did", "where did", "why did", "how did", "can you", "could you", "will you", "would you",
    "do you", "did you", "have you ever", "should we", "may i", "is it true that you", "are you going to",
)  # fmt: skip
PHRASES = (
    "this is a test of my new voice", "welcome to the voice portal", "thank you for listening to this recording",
    "good morning everyone", "good night and sweet dreams", "how are you today", "it is very nice to meet you",
    "what time is it", "where is the train station", "i would like a cup of tea", "see you tomorrow",
    "the weather is lovely today", "have a nice day", "my name is not important", "can you hear me now",
    "please speak slowly and clearly", "that is all for today", "take good care", "once upon a time there was a king",
    "there is nothing to worry about", "i do not know what to say", "you should have told me earlier",
    "it has been a long day", "let us begin with the first question", "they are not going to believe it",
    "the voice that you hear was made by a small model", "the training has finished", "your model is ready",
    "choose a voice and write a sentence", "we have to leave before the rain begins",
)  # fmt: skip
OTHER = _words(
    "about almost also am any are as be been being both bought can could did do does done down each either else "
    "enough even far few get go gone got had has have him how just less let made make many me might mine more most "
    "much must myself nor not onto or other our ours own rather said same say seem shall should since such than that "
    "them then these think those though too twice us was were what which whose why will would yes yet yours zebra "
    "yacht quarter quality jungle jelly joy major magic giant gym measure pleasure treasure vision usually thunder "
    "thirsty thousand weather leather father feather breathe health wealth month bath squeeze queen quite quote "
    "liquid require exact exam taxi mixed box example exercise straw string strength splash spring screen scratch "
    "throw three thread shrink shred voyage choice noise toilet boil coin annoy enjoy house mouse loud cloud brown "
    "down town church chair cheap rich march jump judge bridge village language garage synthesis speech speaker "
    "transcript segment checkpoint dataset training model sample microphone sound audio file upload download page "
    "button press click screen server network system user sign list hospital emergency information education "
    "technology university government community international tomorrow afternoon yesterday beautiful wonderful "
    "comfortable vegetable necessary temperature photograph elephant telephone alphabet laughter daughter neighbor "
    "eight weight height island castle whistle listen knock knife knee write wrong wrist climb lamb comb thumb"
)
