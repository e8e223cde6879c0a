"""Words of the Brazilian Portuguese rules. Data only.

Abbreviations and units after the Vocabulário Ortográfico (Academia Brasileira de Letras) and Inmetro's Quadro Geral de
Unidades; a kilogram is called "quilo", as it is in speech.
"""

from __future__ import annotations

from xttsproject.xtts.normaliser.addresses import Signs
from xttsproject.xtts.normaliser.tables import word_set
from xttsproject.xtts.normaliser.units import Unit

SIGNS = Signs(
    "arroba", "ponto", "barra", "hífen", "sublinhado", "mais", "igual", "interrogação", "por cento", "hashtag"
)

MONTHS = ("janeiro", "fevereiro", "março", "abril", "maio", "junho", "julho", "agosto", "setembro", "outubro",
          "novembro", "dezembro")  # fmt: skip
SHORT_MONTHS = {month[:3]: month for month in MONTHS}

# With a full stop, before anything.
WORDS = {
    "Sr.": "Senhor", "Sra.": "Senhora", "Srs.": "Senhores", "Sras.": "Senhoras", "Srta.": "Senhorita",
    "sr.": "senhor", "sra.": "senhora", "srta.": "senhorita", "Dr.": "Doutor", "Dra.": "Doutora", "Drs.": "Doutores",
    "Dras.": "Doutoras", "dr.": "doutor", "dra.": "doutora", "Prof.": "Professor", "Profa.": "Professora",
    "Profª": "Professora", "Profª.": "Professora", "Prof.ª": "Professora", "prof.": "professor",
    "profa.": "professora", "Profs.": "Professores", "D.": "Dona", "Av.": "Avenida", "av.": "avenida", "R.": "Rua",
    "Pça.": "Praça", "Pç.": "Praça", "Al.": "Alameda", "Rod.": "Rodovia", "Trav.": "Travessa", "Tv.": "Travessa",
    "Jd.": "Jardim", "Vl.": "Vila", "Ed.": "Edifício", "Estr.": "Estrada", "Lgo.": "Largo", "Eng.": "Engenheiro",
    "Engª": "Engenheira", "Arq.": "Arquiteto", "Adv.": "Advogado", "Exmo.": "Excelentíssimo",
    "Exma.": "Excelentíssima", "Ilmo.": "Ilustríssimo", "Ilma.": "Ilustríssima", "V. Exa.": "Vossa Excelência",
    "V. Ex.ª": "Vossa Excelência", "V. Exª": "Vossa Excelência", "V. Sa.": "Vossa Senhoria",
    "V. S.ª": "Vossa Senhoria", "V. Sª": "Vossa Senhoria", "S. Exa.": "Sua Excelência", "Ltda.": "Limitada",
    "Cia.": "Companhia", "Cia": "Companhia", "Ltda": "Limitada", "etc.": "et cetera", "p. ex.": "por exemplo",
    "p.ex.": "por exemplo", "P. ex.": "Por exemplo", "ex.": "exemplo", "Ex.": "Exemplo", "i.e.": "isto é",
    "pág.": "página", "págs.": "páginas", "Pág.": "Página", "cap.": "capítulo", "vol.": "volume", "fig.": "figura",
    "Fig.": "Figura", "tel.": "telefone", "Tel.": "Telefone", "cel.": "celular", "séc.": "século",
    "sécs.": "séculos", "Séc.": "Século", "Sto.": "Santo", "Sta.": "Santa", "S.": "São", "aprox.": "aproximadamente",
    "obs.": "observação", "Obs.": "Observação", "a.C.": "antes de Cristo", "d.C.": "depois de Cristo",
    "a. C.": "antes de Cristo", "d. C.": "depois de Cristo", "ap.": "apartamento", "apto.": "apartamento",
    "Apto.": "Apartamento", "bl.": "bloco", "máx.": "máximo", "mín.": "mínimo", "Cel.": "Coronel", "Cap.": "Capitão",
    "Gen.": "General", "Sgt.": "Sargento", "Ten.": "Tenente", "Maj.": "Major", "Alm.": "Almirante", "Pe.": "Padre",
    "Fr.": "Frei", "Ir.": "Irmã", "Rev.": "Reverendo", "Dep.": "Deputado", "Sen.": "Senador", "Gov.": "Governador",
    "Pres.": "Presidente", "Min.": "Ministro", "Jr.": "Júnior", "vs.": "versus", "x.": "versus", "c/": "com",
    "s/": "sem", "p/": "para", "art.": "artigo", "Art.": "Artigo", "arts.": "artigos", "inc.": "inciso",
    "par.": "parágrafo", "ed.": "edição", "depto.": "departamento", "Depto.": "Departamento", "gov.": "governo",
    "vc": "você", "vcs": "vocês", "Excia.": "Excelência", "Univ.": "Universidade",
    "Fac.": "Faculdade", "Hosp.": "Hospital", "Col.": "Colégio", "Esc.": "Escola", "Km.": "quilômetro",
}  # fmt: skip
BEFORE_NAMES = frozenset({"D.", "R.", "S.", "Av.", "Al.", "Ed.", "Cap.", "Gen.", "Sen.", "Dep.", "Gov.", "Pres.",
    "Min.",
                          "Fr.", "Ir.", "Pe.", "Ten.", "Maj.", "Fac.", "Col.", "Esc.", "Cel.", "Tv.", "Vl.",
                          "Rev."})  # fmt: skip
BEFORE_NUMBERS = frozenset({"cap.", "ed.", "ap.", "bl.", "inc.", "par.", "art.", "vol."})
MAY_END = frozenset({"etc.", "Ltda.", "Cia.", "Jr.", "a.C.", "d.C.", "a. C.", "d. C.", "aprox.", "máx.", "mín.", "min.",
                     "S.A."})  # fmt: skip

STARTERS = word_set(
    "O A Os As Um Uma Ele Ela Eles Elas Eu Nós Você Isso Isto Esse Essa Este Esta Em No Na Nos Nas De Do Da Por "
    "Para Com Mas Quando Depois Antes Se Não Sim Já Hoje Então Também Como Que Quem Onde "
)
SPELT = word_set(
    "IBGE INSS CEO IA UTI UE UFRJ IPVA IPTU ICMS IPI CPI CPF CNPJ RG CD DC DVD CV TI USB URL IP OAB "
    "PT PSDB MDB PL RJ SP MG BBB GPS ABNT BNDES FGTS IPCA AVC CLT CPMF DDD EAD HIV DNA RNA "
)

_NAMES = {
    "km": "quilômetro", "m": "metro", "cm": "centímetro", "mm": "milímetro", "μm": "micrômetro", "nm": "nanômetro",
    "kg": "quilo", "Kg": "quilo", "KG": "quilo", "Km": "quilômetro", "g": "grama", "mg": "miligrama",
    "μg": "micrograma", "l": "litro", "L": "litro", "ml": "mililitro", "mL": "mililitro", "dl": "decilitro",
    "ha": "hectare", "KB": "quilobyte", "kB": "quilobyte", "MB": "megabyte", "GB": "gigabyte", "TB": "terabyte",
    "W": "watt", "kW": "quilowatt", "MW": "megawatt", "GW": "gigawatt", "kWh": "quilowatt-hora", "V": "volt",
    "kV": "quilovolt", "mAh": "miliampere-hora", "mA": "miliampere", "A": "ampere", "dB": "decibel", "J": "joule",
    "kJ": "quilojoule", "N": "newton", "min": "minuto", "s": "segundo", "seg": "segundo", "min.": "minuto",
    "seg.": "segundo", "ms": "milissegundo",
    "px": "pixel", "m²": "metro quadrado", "km²": "quilômetro quadrado", "cm²": "centímetro quadrado",
    "mm²": "milímetro quadrado", "m³": "metro cúbico", "cm³": "centímetro cúbico", "km³": "quilômetro cúbico",
    "m2": "metro quadrado", "km2": "quilômetro quadrado", "m3": "metro cúbico", "Ω": "ohm", "pol": "polegada",
    "kcal": "quilocaloria", "cal": "caloria", "h": "hora",
    "t": "tonelada", "lb": "libra", "lbs": "libra", "oz": "onça",
}  # fmt: skip
_FEMININE = frozenset({"pol", "kcal", "cal", "h", "t", "lb", "lbs", "oz"})
_ALONE = frozenset({"km", "kg", "cm", "mm", "m²", "km²", "cm²", "m³", "cm³", "kWh"})
_IRREGULAR = {"dB": "decibéis", "px": "pixels", "kWh": "quilowatts-hora", "mAh": "miliamperes-hora"}


def _more(sign: str, name: str) -> str:
    if sign in _IRREGULAR:
        return _IRREGULAR[sign]
    return " ".join(f"{word}s" for word in name.split())


UNITS = {
    sign: Unit(name, _more(sign, name), sign in _FEMININE, sign in _ALONE)
    for sign, name in _NAMES.items()
} | {
    "°C": Unit("grau Celsius", "graus Celsius", alone=True),
    "°F": Unit("grau Fahrenheit", "graus Fahrenheit", alone=True),
    "ºC": Unit("grau Celsius", "graus Celsius", alone=True),
    "ºF": Unit("grau Fahrenheit", "graus Fahrenheit", alone=True),
    "° C": Unit("grau Celsius", "graus Celsius"), "º C": Unit("grau Celsius", "graus Celsius"),
    "°": Unit("grau", "graus"), "Hz": Unit("hertz", "hertz", alone=True),
    "kHz": Unit("quilohertz", "quilohertz", alone=True),
    "MHz": Unit("mega-hertz", "mega-hertz", alone=True), "GHz": Unit("giga-hertz", "giga-hertz", alone=True),
    "Mbps": Unit("megabit por segundo", "megabits por segundo", alone=True),
    "Gbps": Unit("gigabit por segundo", "gigabits por segundo", alone=True),
    "kmh": Unit("quilômetro por hora", "quilômetros por hora", alone=True), "cv": Unit("cavalo", "cavalos"),
    "hPa": Unit("hectopascal", "hectopascals"), "kPa": Unit("quilopascal", "quilopascals"),
    "Pa": Unit("pascal", "pascals"),
    "rpm": Unit("rotação por minuto", "rotações por minuto", True), "‰": Unit("por mil", "por mil", alone=True),
    "p.p.": Unit("ponto percentual", "pontos percentuais"), "pp": Unit("ponto percentual", "pontos percentuais"),
    "fps": Unit("quadro por segundo", "quadros por segundo"),
    "bpm": Unit("batimento por minuto", "batimentos por minuto"),
}  # fmt: skip

FRACTIONS = {2: ("meio", "meios"), 3: ("terço", "terços"), 4: ("quarto", "quartos"), 5: ("quinto", "quintos"),
             6: ("sexto", "sextos"), 7: ("sétimo", "sétimos"), 8: ("oitavo", "oitavos"), 9: ("nono", "nonos"),
             10: ("décimo", "décimos"), 100: ("centésimo", "centésimos"), 1000: ("milésimo", "milésimos")}  # fmt: skip

WEEKDAYS = {"2": "segunda", "3": "terça", "4": "quarta", "5": "quinta", "6": "sexta"}

# Nouns whose ending does not tell that they are feminine, and those in -a that are not.
FEMININE = word_set(
    "mulher mulheres mãe mães mão mãos vez vezes noite noites tarde tardes parte partes árvore árvores flor flores "
    "cor cores voz vozes luz luzes cruz cruzes nação nações lei leis chave chaves ponte pontes rede redes torre "
    "torres classe classes frase frases morte mortes fonte fontes base bases colher colheres dor dores paz pele "
    "peles sede sedes série séries espécie espécies superfície superfícies  "
)
MASCULINE = word_set(
    "dia dias mapa mapas problema problemas programa programas sistema sistemas tema temas clima climas poema "
    "poemas telefonema telefonemas cinema cinemas drama dramas quilograma quilogramas grama gramas planeta planetas "
    "cometa cometas poeta poetas diploma diplomas idioma idiomas sintoma sintomas teorema teoremas dilema dilemas "
    "esquema esquemas emblema emblemas fantasma fantasmas pijama pijamas sofá sofás papa papas atleta atletas "
    "colega colegas guia guias artista artistas dentista dentistas jornalista jornalistas motorista motoristas "
    "turista turistas especialista especialistas para pra da das na nas à às a as mas ela elas já lá cá "
    "vírgula está era fora agora ainda entrega apenas nela nelas dela delas essa essas esta estas toda todas "
    "cada uma umas aroma aromas carisma trema tremas panorama panoramas coma comas estratagema lema lemas "
)

# What is counted by Roman numerals: ordinals up to ten and cardinals from eleven on when they follow (Bechara, Moderna
# Gramática Portuguesa, "Emprego do ordinal pelo cardinal"), with the noun's gender.
SOVEREIGNS = {
    "masculine": word_set(
        "Pedro João Luís Luiz Henrique Carlos Felipe Filipe Afonso Manuel Bento Paulo Pio Leão Gregório Napoleão "
        "Jorge Eduardo Guilherme Ricardo Alexandre Sebastião Dinis Fernando Sancho Miguel José Francisco Nicolau "
        "Ivan Clemente Ramsés Frederico Xisto Inocêncio Urbano Ramses Balduíno Alberto Leopoldo "
    ),
    "feminine": word_set("Elizabeth Vitória Isabel Maria Catarina Joana Cleópatra Margarida Elisabete "),
}
NUMBERED = ("século", "Século", "séculos", "capítulo", "Capítulo", "tomo", "Tomo", "ato", "Ato", "canto", "Canto")
COUNTED = ("volume", "Volume", "parte", "Parte", "fase", "Fase", "tipo", "Tipo", "nível", "Nível", "título", "Título",
           "livro", "Livro", "classe", "Classe", "artigo", "inciso", "anexo", "Anexo", "seção", "Seção", "episódio",
           "Super Bowl", "Apollo", "grupo", "etapa", "módulo", "Módulo")  # fmt: skip
# Numerals before these nouns are ordinals: "II Guerra Mundial".
EVENTS = {
    "Guerra": True, "Conferência": True, "Semana": True, "Jornada": True, "Bienal": True, "Feira": True, "Copa": True,
    "Mostra": True, "Reunião": True, "Olimpíada": True, "Dinastia": True, "República": True, "Congresso": False,
    "Encontro": False, "Fórum": False, "Festival": False, "Simpósio": False, "Seminário": False, "Concílio": False,
    "Concurso": False, "Campeonato": False, "Reich": False, "Império": False, "Prêmio": False,
}  # fmt: skip
