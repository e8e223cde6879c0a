"""Words of the English rules. Data only.

Names of units are spelt as most transcribed English speech is (American: "kilometers"); they sound alike everywhere.
"""

from __future__ import annotations

from xttsproject.xtts.normaliser.addresses import Signs
from xttsproject.xtts.normaliser.tables import word_set
from xttsproject.xtts.normaliser.units import Unit

SIGNS = Signs("at", "dot", "slash", "dash", "underscore", "plus", "equals", "question mark", "percent", "hashtag")

MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
          "December")  # fmt: skip
SHORT_MONTHS = {month[:3]: month for month in MONTHS} | {"Sept": "September"}
DAYS = {
    "Mon": "Monday", "Tue": "Tuesday", "Tues": "Tuesday", "Wed": "Wednesday", "Thu": "Thursday", "Thur": "Thursday",
    "Thurs": "Thursday", "Fri": "Friday", "Sat": "Saturday", "Sun": "Sunday",
}  # fmt: skip

TITLES = {
    "Mr.": "Mister", "Mrs.": "Missus", "Ms.": "Miz", "Messrs.": "Messieurs", "Dr.": "Doctor", "Drs.": "Doctors",
    "Prof.": "Professor", "Jr.": "Junior", "Sr.": "Senior", "Gen.": "General", "Capt.": "Captain",
    "Lt.": "Lieutenant", "Sgt.": "Sergeant", "Col.": "Colonel", "Cpl.": "Corporal", "Maj.": "Major", "Adm.": "Admiral",
    "Cmdr.": "Commander", "Rev.": "Reverend", "Hon.": "Honorable", "Gov.": "Governor", "Sen.": "Senator",
    "Rep.": "Representative", "Pres.": "President", "Supt.": "Superintendent", "Mt.": "Mount", "Ft.": "Fort",
    "Fr.": "Father", "St.": "Saint", "Esq.": "Esquire",
}  # fmt: skip
PLACES = {"St.": "Street", "Dr.": "Drive", "Ave.": "Avenue", "Blvd.": "Boulevard", "Rd.": "Road", "Ln.": "Lane",
          "Hwy.": "Highway", "Pkwy.": "Parkway", "Sq.": "Square", "Ct.": "Court", "Pl.": "Place"}  # fmt: skip
WORDS = {
    "Ltd.": "Limited", "Inc.": "Incorporated", "Corp.": "Corporation", "Co.": "Company", "Bros.": "Brothers",
    "vs.": "versus", "v.": "versus", "etc.": "et cetera", "e.g.": "for example", "i.e.": "that is",
    "eg.": "for example", "ie.": "that is", "approx.": "approximately", "dept.": "department", "Dept.": "Department",
    "govt.": "government", "Govt.": "Government", "est.": "established", "Est.": "established", "et al.": "et al",
    "cf.": "compare", "viz.": "namely", "a.k.a.": "also known as", "Ph.D.": "P H D", "PhD": "P H D",
    "Univ.": "University",
    "Assn.": "Association", "apt.": "apartment", "Apt.": "Apartment", "misc.": "miscellaneous", "incl.": "including",
    "excl.": "excluding", "max.": "maximum", "avg.": "average", "tel.": "telephone",
    "Tel.": "telephone", "ext.": "extension", "w/o": "without", "w/": "with ", "vs": "versus", "P.S.": "P S",
    "R.S.V.P.": "R S V P", "asst.": "assistant", "intl.": "international", "temp.": "temperature",
}  # fmt: skip
# Said so before a number only.
BEFORE_NUMBERS = {
    "No.": "number", "no.": "number", "Nos.": "numbers", "nos.": "numbers", "nº": "number", "Nº": "number",
    "p.": "page", "pp.": "pages", "P.": "page", "Fig.": "Figure", "fig.": "figure", "Figs.": "Figures",
    "figs.": "figures", "Vol.": "Volume", "vol.": "volume", "Ch.": "Chapter", "ch.": "chapter", "Sec.": "Section",
    "sec.": "section", "Eq.": "Equation", "eq.": "equation", "Art.": "Article", "art.": "article", "ca.": "circa",
    "c.": "circa", "ver.": "version", "Ver.": "version", "para.": "paragraph", "Rm.": "Room",
}  # fmt: skip
# These may stand before a capitalised name only; elsewhere they are something else.
NAMES_FOLLOW = frozenset({"Mt.", "Gen.", "Ft.", "Fr.", "St.", "Hon.", "Rep.", "Sen.", "Pres.", "Adm.", "Rev.", "v.",
                          "Col.", "Gov.", "Maj."})  # fmt: skip
MAY_END = frozenset({"etc.", "Jr.", "Sr.", "Ltd.", "Inc.", "Corp.", "Co.", "Bros.", "et al.", "Esq.", "Ph.D.", "St.",
                     "Ave.", "Blvd.", "Rd.", "Ln.", "Hwy.", "Pkwy.", "Dr.", "Sq.", "Ct.", "Pl.", "max.",
                     "avg.", "P.S."})  # fmt: skip

STARTERS = word_set(
    "The This That These Those It He She We They You I In On At If When While But And So Then There Here What Who "
    "Why How Where His Her Its Our Their My Your A An As After Before Now No Yes Not For To From By With Is Are Was "
)

SPELT = word_set(
    "US USA UK EU UN FBI CIA API AI CEO CFO COO CTO UFO ATM IBM URL USB ID VIP IQ UAE HIV IPO IRS NBA NYC SUV UV UI UX "
    "AC IP EV GPU CPU DIY EPA ISP IMF NYU ADHD AWS ESPN HBO IOU AD BCE CE CD DC CV MC UTC BBC NGO OCR IRA OS SEO "
    "TBA FYI ASL RNA DNA MRI ICU GUI SQL AFK BA MA BMI HQ PTA ETA RIP AKA MD "
)

_PLAIN_UNITS = {
    "km": "kilometer", "m": "meter", "cm": "centimeter", "mm": "millimeter", "μm": "micrometer", "nm": "nanometer",
    "kg": "kilogram", "g": "gram", "mg": "milligram", "μg": "microgram", "lb": "pound", "lbs": "pound", "oz": "ounce",
    "mi": "mile", "yd": "yard", "yds": "yard", "l": "liter", "L": "liter", "ml": "milliliter", "mL": "milliliter",
    "cl": "centiliter", "dl": "deciliter", "ha": "hectare", "gal": "gallon", "pt": "pint", "qt": "quart",
    "KB": "kilobyte", "kB": "kilobyte", "MB": "megabyte", "GB": "gigabyte", "TB": "terabyte",
    "kbps": "kilobit per second",
    "W": "watt", "kW": "kilowatt", "MW": "megawatt", "GW": "gigawatt", "Wh": "watt hour", "kWh": "kilowatt hour",
    "MWh": "megawatt hour", "V": "volt", "kV": "kilovolt", "mA": "milliamp", "mAh": "milliamp hour", "Pa": "pascal",
    "hPa": "hectopascal", "kPa": "kilopascal", "dB": "decibel", "cal": "calorie", "kcal": "kilocalorie", "J": "joule",
    "kJ": "kilojoule", "N": "newton", "h": "hour", "hr": "hour", "hrs": "hour", "min": "minute", "mins": "minute",
    "s": "second", "sec": "second", "secs": "second", "ms": "millisecond", "ns": "nanosecond", "px": "pixel",
    "wk": "week", "wks": "week", "yr": "year", "yrs": "year", "Ω": "ohm", "kΩ": "kiloohm", "t": "ton", "bar": "bar",
    "m²": "square meter", "km²": "square kilometer", "cm²": "square centimeter", "mm²": "square millimeter",
    "m³": "cubic meter", "cm³": "cubic centimeter", "km³": "cubic kilometer", "mm³": "cubic millimeter",
    "sq km": "square kilometer", "sq mi": "square mile", "sq m": "square meter", "sq. km": "square kilometer",
    "sq. mi": "square mile", "μs": "microsecond", "mmol": "millimole", "mol": "mole",
}  # fmt: skip
_ALONE = frozenset({"km", "kg", "cm", "mm", "m²", "km²", "cm²", "m³", "cm³", "mm²", "kWh"})
UNITS = {sign: Unit(name, f"{name}s", alone=sign in _ALONE) for sign, name in _PLAIN_UNITS.items()} | {
    "ft": Unit("foot", "feet"), "ft.": Unit("foot", "feet"), "sq ft": Unit("square foot", "square feet"),
    "sq. ft.": Unit("square foot", "square feet"), "ft²": Unit("square foot", "square feet"),
    "mph": Unit("mile per hour", "miles per hour", alone=True), "rpm": Unit("R P M", "R P M", alone=True),
    "kph": Unit("kilometer per hour", "kilometers per hour", alone=True),
    "fps": Unit("frame per second", "frames per second"),
    "kmh": Unit("kilometer per hour", "kilometers per hour", alone=True), "Hz": Unit("hertz", "hertz", alone=True),
    "kHz": Unit("kilohertz", "kilohertz", alone=True), "MHz": Unit("megahertz", "megahertz", alone=True),
    "GHz": Unit("gigahertz", "gigahertz", alone=True),
    "Mbps": Unit("megabit per second", "megabits per second", alone=True),
    "Gbps": Unit("gigabit per second", "gigabits per second", alone=True),
    "kbps": Unit("kilobit per second", "kilobits per second", alone=True),
    "dpi": Unit("dot per inch", "dots per inch"), "psi": Unit("P S I", "P S I"), "hp": Unit("horsepower", "horsepower"),
    "°C": Unit("degree Celsius", "degrees Celsius", alone=True),
    "°F": Unit("degree Fahrenheit", "degrees Fahrenheit", alone=True),
    "° C": Unit("degree Celsius", "degrees Celsius"), "° F": Unit("degree Fahrenheit", "degrees Fahrenheit"),
    "°": Unit("degree", "degrees"), "º C": Unit("degree Celsius", "degrees Celsius"),
    "ºC": Unit("degree Celsius", "degrees Celsius"),
    "K": Unit("K", "K"), "in.": Unit("inch", "inches"), "min.": Unit("minute", "minutes"),
    "hrs.": Unit("hour", "hours"),
    "hr.": Unit("hour", "hours"), "sec.": Unit("second", "seconds"), "oz.": Unit("ounce", "ounces"),
    "lbs.": Unit("pound", "pounds"), "lb.": Unit("pound", "pounds"), "‰": Unit("per mille", "per mille", alone=True),
}  # fmt: skip

FRACTIONS = {2: ("half", "halves"), 3: ("third", "thirds"), 4: ("quarter", "quarters")}

# Words between which a number of four digits counts things and is no year.
COUNTED = word_set(
    "people men women children feet sheep fish cattle percent by times plus minus equals divided point more other "
    "different new copies words hours dozen per or so years miles "
)
NO_PLURALS = word_set(
    "was is has its this as us perhaps always does sees his hers says thus less across unless versus plus besides "
    "towards afterwards sometimes various yes "
)
YEAR_FOLLOWS = word_set(
    "in since until till during year circa late early mid late back around summer winter spring autumn fall class "
    "anno season election edition "
)  # fmt: skip

# Who is counted by Roman numerals; "the Great" and the like stand after it.
SOVEREIGNS = word_set(
    "Henry Louis Elizabeth George Charles William Edward Richard James Paul Pius Benedict Catherine Napoleon Philip "
    "Philippe Ramses Ramesses Alexander Frederick Nicholas Peter Ivan Mary Leo Gregory Innocent Clement Urban Otto "
    "Ferdinand Alfonso Francis Joseph Rudolf Gustav Christian Harald Margrethe Carlos Juan Pedro Umberto Victor "
    "Emmanuel Xerxes Darius Ptolemy Constantine Theodosius Justinian Cleopatra Wilhelm Albert Leopold Baudouin "
    "Haakon Olav Matthew Robert Malcolm John Stephen Boniface Celestine Julius Sixtus Alexander Adrian Felipe "
    "Friedrich "
)
NUMBERED = ("World War", "Chapter", "Part", "Volume", "Book", "Act", "Scene", "Section", "Phase", "Type", "Class",
            "Stage", "Super Bowl", "Apollo", "Title", "Article", "Appendix", "Level", "Grade", "Mark", "Episode",
            "Division", "Rocky", "Final Fantasy", "Schedule", "Tier", "Category", "Figure", "Table")  # fmt: skip
