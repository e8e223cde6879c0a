"""The sentences that the checkpoints of all runs speak: the same for all runs of a language, so that they compare.

Each language has four, of the kinds that voices fail at differently: a short one, a long one, one with numbers, and a
question.
"""

from __future__ import annotations

from typing import NamedTuple


class FixedPrompts(NamedTuple):
    short: str
    long: str
    numbers: str
    question: str


FIXED_PROMPTS: dict[str, FixedPrompts] = {
    "en": FixedPrompts(
        "Good evening, everyone.",
        "The morning train was late again, so we walked along the river instead, and when we reached the old bridge, "
        "the sun had already burned the mist away.",
        "On 14 March 2019 we sold 312 tickets at 27.50 dollars each.",
        "Would you rather stay at home tonight, or shall we go and see them?",
    ),
    "es": FixedPrompts(
        "Buenas noches a todos.",
        "El tren de la mañana volvió a llegar tarde, así que caminamos junto al río, y cuando llegamos al puente viejo "
        "el sol ya se había llevado la niebla.",
        "El 14 de marzo de 2019 vendimos 312 entradas a 27,50 euros cada una.",
        "¿Prefieres quedarte en casa esta noche o vamos a verlos?",
    ),
    "fr": FixedPrompts(
        "Bonsoir à tous.",
        "Le train du matin était encore en retard, alors nous avons marché le long de la rivière, et quand nous avons "
        "atteint le vieux pont, le soleil avait déjà chassé la brume.",
        "Le 14 mars 2019, nous avons vendu 312 billets à 27,50 euros chacun.",
        "Préfères-tu rester à la maison ce soir, ou allons-nous les voir ?",
    ),
    "de": FixedPrompts(
        "Guten Abend zusammen.",
        "Der Zug am Morgen kam wieder zu spät, deshalb gingen wir zu Fuß am Fluss entlang, und als wir die alte Brücke "
        "erreichten, hatte die Sonne den Nebel schon vertrieben.",
        "Am 14. März 2019 verkauften wir 312 Karten zu je 27,50 Euro.",
        "Möchtest du heute Abend lieber zu Hause bleiben, oder wollen wir sie besuchen?",
    ),
    "it": FixedPrompts(
        "Buonasera a tutti.",
        "Il treno del mattino era di nuovo in ritardo, così abbiamo camminato lungo il fiume, e quando siamo arrivati "
        "al vecchio ponte il sole aveva già dissolto la nebbia.",
        "Il 14 marzo 2019 abbiamo venduto 312 biglietti a 27,50 euro ciascuno.",
        "Preferisci restare a casa stasera, oppure andiamo a trovarli?",
    ),
    "pt": FixedPrompts(
        "Boa noite a todos.",
        "O trem da manhã atrasou outra vez, por isso fomos a pé pela margem do rio, e quando chegamos à ponte velha o "
        "sol já tinha levado a neblina.",
        "No dia 14 de março de 2019 vendemos 312 ingressos a 27,50 reais cada um.",
        "Você prefere ficar em casa hoje à noite, ou vamos visitá-los?",
    ),
    "pl": FixedPrompts(
        "Dobry wieczór wszystkim.",
        "Poranny pociąg znowu się spóźnił, więc poszliśmy pieszo wzdłuż rzeki, a kiedy doszliśmy do starego mostu, "
        "słońce rozproszyło już mgłę.",
        "W 2019 roku sprzedaliśmy 312 biletów po 27 złotych.",
        "Wolisz zostać dziś wieczorem w domu, czy pójdziemy ich odwiedzić?",
    ),
    "tr": FixedPrompts(
        "Herkese iyi akşamlar.",
        "Sabah treni yine geç kaldı, biz de nehir boyunca yürüdük ve eski köprüye vardığımızda güneş sisi çoktan "
        "dağıtmıştı.",
        "2019 yılında tanesi 27 liradan 312 bilet sattık.",
        "Bu akşam evde kalmayı mı tercih edersin, yoksa onları görmeye mi gidelim?",
    ),
    "ru": FixedPrompts(
        "Добрый вечер всем.",
        "Утренний поезд снова опоздал, и мы пошли пешком вдоль реки, а когда дошли до старого моста, солнце уже "
        "разогнало туман.",
        "За 27 дней мы продали 312 билетов.",
        "Ты хочешь остаться сегодня вечером дома, или пойдём к ним в гости?",
    ),
    "nl": FixedPrompts(
        "Goedenavond allemaal.",
        "De ochtendtrein was weer te laat, dus liepen we langs de rivier, en toen we de oude brug bereikten, had de "
        "zon de mist al verdreven.",
        "Op 14 maart 2019 verkochten we 312 kaartjes voor 27,50 euro per stuk.",
        "Blijf je vanavond liever thuis, of zullen we bij hen langsgaan?",
    ),
    "cs": FixedPrompts(
        "Dobrý večer všem.",
        "Ranní vlak měl zase zpoždění, a tak jsme šli pěšky podél řeky, a když jsme došli ke starému mostu, slunce už "
        "mlhu rozehnalo.",
        "V roce 2019 jsme prodali 312 lístků po 27 korunách.",
        "Chceš dnes večer raději zůstat doma, nebo je půjdeme navštívit?",
    ),
    "ar": FixedPrompts(
        "مساء الخير جميعا.",
        "تأخر قطار الصباح مرة أخرى، فمشينا على طول النهر، وعندما وصلنا إلى الجسر القديم كانت الشمس قد بددت الضباب.",
        "بعنا 312 تذكرة في 27 يوما.",
        "هل تفضل البقاء في البيت هذا المساء، أم نذهب لزيارتهم؟",
    ),
    "zh-cn": FixedPrompts(
        "大家晚上好。",
        "早上的火车又晚点了，于是我们沿着河边走，等我们走到那座老桥的时候，太阳已经把雾气驱散了。",
        "2019年我们卖出了312张票，每张27元。",
        "你今天晚上想待在家里，还是我们一起去看他们？",
    ),
    "hu": FixedPrompts(
        "Jó estét mindenkinek.",
        "A reggeli vonat megint késett, ezért inkább gyalog mentünk a folyó mentén, és mire a régi hídhoz értünk, a "
        "nap már eloszlatta a ködöt.",
        "2019-ben 312 jegyet adtunk el, darabját 27 euróért.",
        "Inkább otthon maradnál ma este, vagy menjünk el hozzájuk?",
    ),
    "ko": FixedPrompts(
        "여러분, 안녕하세요.",
        "아침 기차가 또 늦어서 우리는 강을 따라 걸었고, 오래된 다리에 이르렀을 때는 해가 이미 안개를 걷어 냈습니다.",
        "2019년에 우리는 표 312장을 팔았습니다.",
        "오늘 저녁에는 집에 있을래요, 아니면 그들을 만나러 갈까요?",
    ),
    "ja": FixedPrompts(
        "皆さん、こんばんは。",
        "朝の電車がまた遅れたので、私たちは川沿いを歩き、古い橋に着いたころには、日の光がもう霧を晴らしていました。",
        "2019年に、私たちは切符を312枚売りました。",
        "今夜は家にいたいですか、それとも一緒に会いに行きますか？",
    ),
    "hi": FixedPrompts(
        "सबको शुभ संध्या।",
        "सुबह की गाड़ी फिर देर से आई, इसलिए हम नदी के किनारे पैदल चले, और जब हम पुराने पुल तक पहुँचे, तब तक धूप ने कोहरा हटा दिया था।",
        "हमने 27 दिनों में 312 टिकट बेचे।",
        "क्या आज शाम तुम घर पर रहना चाहोगे, या हम उनसे मिलने चलें?",
    ),
}


def prompts_for(language: str, own: list[str], *, fixed: bool) -> list[str]:
    """What the checkpoints of a run speak: the person's own, then the language's four, none of them twice.

    Where neither is wanted, the language's long one, so that something is heard.
    """
    of_language = FIXED_PROMPTS[language]
    return list(dict.fromkeys([*own, *(of_language if fixed else ())])) or [of_language.long]


def prompt_kind(text: str, language: str) -> str:
    """``short``, ``long``, ``numbers`` or ``question`` for a fixed sentence; empty for a person's own."""
    for kind, fixed in FIXED_PROMPTS[language]._asdict().items() if language in FIXED_PROMPTS else ():
        if fixed == text:
            return str(kind)
    return ""
